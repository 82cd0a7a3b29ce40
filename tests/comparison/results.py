"""Results of a Workflow in a form that does not depend on the engine."""

from collections.abc import Mapping
from typing import Any

Result = dict[str, Any]

_INVALID = "invalid spec: "


def of_document(document: Mapping[str, Any]) -> Result:
    """Return the result of a Workflow that has ended."""
    status = document["status"]
    message = status.get("message", "")
    if message.startswith(_INVALID) and not status.get("nodes"):
        return refusal(message.removeprefix(_INVALID))
    name = document["metadata"]["name"]
    nodes = {}
    for node in status.get("nodes", {}).values():
        nodes[node["name"].removeprefix(name).lstrip(".")] = _node(name, node)
    result = _filled(
        {
            "phase": status["phase"],
            "message": _message(status),
            "progress": status.get("progress"),
            "nodes": nodes,
        }
    )
    return {key: _without_name(name, value) for key, value in result.items()}


def refusal(message: str) -> Result:
    """Return the result of a Workflow that never starts."""
    return {"refused": message}


def _node(name: str, node: Mapping[str, Any]) -> Result:
    outputs = node.get("outputs") or {}
    inputs = node.get("inputs") or {}
    return _filled(
        {
            "type": node["type"],
            "phase": node["phase"],
            "message": _message(node),
            "exitCode": outputs.get("exitCode"),
            "progress": node.get("progress") if node["type"] == "Pod" else None,
            "inputs": _values(inputs.get("parameters")),
            "outputs": _values(outputs.get("parameters")),
            "daemoned": node.get("daemoned"),
        }
    )


def _message(data: Mapping[str, Any]) -> str:
    # Argo's executor sees the files of the main container below a folder of its own.
    message: str = data.get("message") or ""
    return message.replace("/mainctrfs/", "/")


def _values(parameters: list[Mapping[str, Any]] | None) -> Result:
    values = {}
    for parameter in parameters or ():
        if "value" in parameter:
            values[parameter["name"]] = parameter["value"]
    return values


def _filled(data: Result) -> Result:
    return {key: value for key, value in data.items() if value}


def _without_name(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_name(name, item) for key, item in value.items()}
    if isinstance(value, str):
        return value.replace(name, "WORKFLOW")
    return value
