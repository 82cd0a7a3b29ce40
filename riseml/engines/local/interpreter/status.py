"""A run as Argo's API shows it."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from riseml.engines.local.interpreter.graph import Ledger
from riseml.engines.local.interpreter.node import (
    COMPLETED,
    DAG,
    OMITTED,
    POD,
    RUNNING,
    SKIPPED,
    SKIPPED_TYPE,
    SUCCEEDED,
    TASK_GROUP,
    UNSUCCESSFUL,
    Node,
    completed,
)
from riseml.engines.local.interpreter.retries_and_pods import Calls
from riseml.engines.local.interpreter.tags import fill
from riseml.engines.local.interpreter.variables import lookup

PROGRESS: Final = re.compile(r"\d{1,18}/\d{1,18}")
"""`n/m`, as a job may report it."""

_SEPARATOR: Final = re.compile(r"^(\[\d+\])?\.")
_WORKFLOW_PHASES: Final = {SKIPPED: SUCCEEDED, OMITTED: SUCCEEDED}


# The moment that the status is of
def status(run: Calls, now: float) -> dict[str, Any]:  # noqa: ARG001
    """Return the `.status` of a run."""
    root = run.find(run.name)
    if root is None:
        return {}
    over = root.fulfilled and root.ended_at is not None
    nodes = {key: node_status(run, node) for key, node in run.nodes.items()}
    for key, progress in _progress(run).items():
        nodes[key]["progress"] = progress
    for key, node in run.nodes.items():
        if node.type == DAG and node.phase in COMPLETED:
            nodes[key]["outboundNodes"] = list(dict.fromkeys(run.outbound(node)))
    stopped = run.strategy and root.phase in UNSUCCESSFUL
    message = f"Stopped with strategy '{run.strategy}'" if stopped else root.message
    running = any(run.nodes[pod].phase == RUNNING for pod in run.live)
    return {
        "phase": _WORKFLOW_PHASES.get(root.phase, root.phase) if over else RUNNING,
        "startedAt": moment(root.started_at),
        "finishedAt": moment(root.ended_at) if over else None,
        **({"message": message} if message and over else {}),
        "progress": _sum(
            _own_progress(node) for node in run.nodes.values() if node.type == POD
        ),
        "nodes": nodes,
        "conditions": [
            {"type": "PodRunning", "status": str(running)},
            *([{"type": "Completed", "status": "True"}] if over else []),
        ],
    }


def node_status(run: Ledger, node: Node) -> dict[str, Any]:
    """Return a node as `.status.nodes` holds it; the progress of nodes that are no pods needs the whole run."""
    boundary, ending = run.nodes.get(node.boundary), _is_ending(run, node)
    data: dict[str, Any] = {
        "id": node.id,
        "name": node.name,
        "displayName": _SEPARATOR.sub("", node.name.removeprefix(boundary.name))
        if boundary
        else node.name,
        "type": node.type,
        "templateName": node.template,
        "templateScope": f"local/{run.name}",
        "phase": RUNNING if ending else node.phase,
        "startedAt": moment(node.started_at),
        "finishedAt": None if ending else moment(node.finished_at),
    }
    optional = {
        "boundaryID": node.boundary,
        "runningAt": None
        if node.running_at is None
        # Ours: Argo does not say
        else moment(node.running_at),
        "message": node.message,
        "children": list(run.children.get(node.id, ())),
        "daemoned": node.daemoned,
        "nodeFlag": {
            name: True for name in ("hooked", "retried") if getattr(node, name)
        },
        "inputs": _inputs(run, node),
        "outputs": _outputs(run, node),
        "progress": "/".join(map(str, _own_progress(node))) if node.type == POD else "",
        "synchronizationStatus": {"waiting": node.waiting.partition("\n")[0]}
        if node.waiting
        else None,
    }
    data.update({name: value for name, value in optional.items() if value})
    return data


def _is_ending(run: Ledger, node: Node) -> bool:
    """Tell whether something of a node that was shut down still runs: a job may be saving its work.

    Argo calls it Failed at once, but takes long to say so; who waits here would not wait for the end.
    """
    if not run.strategy or node.phase not in UNSUCCESSFUL:
        return False
    return any(
        node.id in _around(run, pod) for pod in run.live if not run.nodes[pod].fulfilled
    )


def _around(run: Ledger, key: str) -> set[str]:
    """Return a node, and all groups and DAGs that it is in."""
    found: set[str] = set()
    while key:
        node = run.nodes[key]
        found.update((key, *node.parents[:1]))
        key = node.boundary
    return found


def moment(seconds: float | None) -> str | None:
    """Write a time as RFC 3339, to the microsecond."""
    return (
        None
        if seconds is None
        else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    )


def _inputs(run: Ledger, node: Node) -> dict[str, Any]:
    if node.type in (TASK_GROUP, SKIPPED_TYPE):
        return {}
    template = run.template(node)
    parameters = [
        {
            "name": name,
            "value": value,
            **(
                {}
                if (default := template.inputs[name]) is None
                else {"default": default}
            ),
        }
        for name, value in node.inputs
    ]
    artifacts = template.body.get("inputs", {}).get("artifacts")
    if artifacts:
        look = lookup(run.known(node), run.values)
        artifacts = fill(fill(artifacts, look), look)
    return {
        name: value
        for name, value in (("parameters", parameters), ("artifacts", artifacts))
        if value
    }


def _outputs(run: Ledger, node: Node) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if node.outputs:
        declared = {output.name: output for output in run.template(node).outputs}
        data["parameters"] = []
        for name, value in node.outputs:
            source = {"path": declared[name].path}
            if (default := declared[name].default) is not None:
                source["default"] = default
            data["parameters"].append(
                {"name": name, "value": value, "valueFrom": source}
            )
    if node.exit_code is not None:
        data["exitCode"] = str(node.exit_code)
    return data


def _own_progress(node: Node) -> tuple[int, int]:
    said = (
        completed(node.progress) if node.phase == SUCCEEDED else node.progress or "0/1"
    )
    done, _, total = said.partition("/")
    return int(done), int(total)


def _sum(each: Any) -> str:
    pairs = list(each)
    return f"{sum(done for done, _ in pairs)}/{sum(total for _, total in pairs)}"


def _progress(run: Ledger) -> dict[str, str]:
    """Return the progress of every node that is no pod: the sum over the pods below it."""
    return {
        key: _sum(_own_progress(run.nodes[pod]) for pod in _pods_below(run, key))
        for key, node in run.nodes.items()
        if node.type != POD
    }


def _pods_below(run: Ledger, key: str) -> list[str]:
    seen: set[str] = set()
    stack = [key]
    while stack:
        for child in run.children.get(stack.pop(), ()):
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return [each for each in seen if run.nodes[each].type == POD]
