"""Whether Argo can hold a Workflow until its end: the document, and a node of status for every experiment and job.

Argo keeps both in one object of at most 1 MiB, the nodes compressed once they are long. A set that outgrows that ends
with an error in the middle, so what will not fit is refused before it starts. The local engine has no such limit.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from riseml.errors import RiseMLError

# Bytes: Argo's own, below that of etcd
LIMIT = 1 << 20
# Bytes: Kubernetes', all annotations of an object together
ANNOTATIONS = 256 << 10
# Bytes of a request that etcd takes by default
REQUEST = 3 * 2**19
_WARN, _REFUSE = 0.5, 0.9
# Experiments whose status is made up; the others take as much
_SAMPLE = 400
# Characters of a reported result that no other experiment reports
_RESULT = 60

Document = Mapping[str, Any]


def estimate(document: Document) -> int:
    """Return how many bytes Argo will have to hold when all experiments have ended."""
    templates = {
        template["name"]: template for template in document["spec"]["templates"]
    }
    items = _items(templates)
    sample = items[:: max(1, len(items) // _SAMPLE)]
    nodes = json.dumps(
        [node for item in sample for node in _nodes(item, document, templates)]
    )
    compressed = base64.b64encode(gzip.compress(nodes.encode(), mtime=0))
    return len(_text(document)) + len(compressed) * len(items) // len(sample)


def share_of(document: Document) -> float:
    """Return which share of what Argo can keep a Workflow will have filled at its end."""
    return estimate(document) / LIMIT


def check_annotations(document: Document) -> None:
    """Refuse what Kubernetes would not keep beside a Workflow: the text of riseml.yml is there.

    Raises:
        RiseMLError: it is too long.
    """
    notes = sum(
        len(f"{key}{value}".encode())
        for key, value in document["metadata"].get("annotations", {}).items()
    )
    if notes > ANNOTATIONS * _REFUSE:
        raise RiseMLError(
            f"riseml.yml is too long for a cluster: Kubernetes keeps up to {ANNOTATIONS // 1024} KiB beside a Workflow",
            "Move long commands and lists into files of the project.",
        )


def check(document: Document) -> str:
    """Return what the user should know about the size of a Workflow for Argo: nothing, or a warning.

    Raises:
        RiseMLError: it would not fit, with advice.
    """
    check_annotations(document)
    share = share_of(document)
    count = len(
        _items(
            {template["name"]: template for template in document["spec"]["templates"]}
        )
    )
    if share > _REFUSE:
        fits = int(count * _REFUSE / share) // 100 * 100
        raise RiseMLError(
            f"{count} experiments are too many for one Workflow: Argo would have to keep {share:.0%} of what it can",
            f"About {fits} fit. Split the set: give one parameter fewer values, once for each part. "
            "The local engine takes sets of any size.",
        )
    if share > _WARN:
        return f"{count} experiments fill {share:.0%} of what Argo can keep of one Workflow"
    return ""


def _items(templates: Mapping[str, Any]) -> list[Any]:
    tasks = [
        task
        for template in templates.values()
        for task in template.get("dag", {}).get("tasks", ())
    ]
    return next((task["withItems"] for task in tasks if task.get("withItems")), [{}])


def _nodes(
    item: Document, document: Document, templates: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the nodes of one experiment as they will be: what differs from one to the next is made up."""
    name = (
        document["metadata"].get("name")
        or f"{document['metadata']['generateName']}xxxxx"
    )
    values = ",".join(f"{key}:{item[key]}" for key in sorted(item))
    cell = f"{name}.set.experiment({values})"
    inputs = [{"name": key, "value": value} for key, value in item.items()]
    yield _node(name, cell, inputs, {"templateName": "experiment", "type": "DAG"})
    for task in templates["experiment"]["dag"]["tasks"]:
        template = templates[task["template"]]
        attempts = int(template.get("retryStrategy", {}).get("limit", 0)) + 1
        for attempt in range(
            attempts if attempts == 1 else attempts + 1
        ):  # several have a node in common
            path = f"{cell}.{task['name']}({attempt})"
            result = {
                "name": "result",
                "value": _noise(path, _RESULT),
                "valueFrom": {"default": ""},
            }
            outputs = {"exitCode": "0", "parameters": [result]}
            yield _node(
                name,
                path,
                inputs,
                {"templateName": template["name"], "type": "Pod", "outputs": outputs},
            )


def _node(
    workflow: str, path: str, inputs: list[dict[str, str]], more: Document
) -> dict[str, Any]:
    own, other, third = (
        f"{workflow}-{_digits(path + salt)}" for salt in ("", "parent", "child")
    )
    return {
        "id": own,
        "name": path,
        "displayName": path,
        "boundaryID": other,
        "children": [third],
        "outboundNodes": [third],
        "phase": "Succeeded",
        "message": f"main: Error (exit code {_digits(path)[0]})",
        "progress": "1/1",
        "startedAt": f"2026-01-01T{_digits(path)[:6]}Z",
        "finishedAt": f"2026-01-01T{_digits(path)[4:]}Z",
        "resourcesDuration": {"cpu": _digits(path)[:3], "memory": _digits(path)[3:6]},
        "inputs": {"parameters": inputs},
        "templateScope": f"local/{workflow}",
        **more,
    }


def _digits(text: str) -> str:
    return str(
        int(hashlib.blake2s(text.encode(), digest_size=5).hexdigest(), 16)
    ).zfill(10)[:10]


def _noise(text: str, length: int) -> str:
    return hashlib.blake2b(text.encode()).hexdigest()[:length]


def _text(document: Document) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def check_manifest(document: Document) -> str:
    """Return what the user should know about the size of a document that is only written down: nothing, or a warning.

    A cluster whose Argo offloads node status to a database takes sets that `check` refuses; no cluster takes a
    manifest that is itself too large.

    Raises:
        RiseMLError: the manifest is larger than Kubernetes takes.
    """
    size = len(_text(document))
    if size > REQUEST * _REFUSE:
        raise RiseMLError(
            f"this Workflow is {size / 2**20:.1f} MiB long, and Kubernetes takes {REQUEST / 2**20:.1f} MiB",
            "Split the set: give one parameter fewer values, once for each part.",
        )
    try:
        return check(document)
    except RiseMLError as error:
        return f"{error}; only an Argo with node status offloading can run it"
