"""Workflows with a status, made up node by node: for what no cluster does on demand."""

from collections.abc import Iterator
from typing import Any

from riseml import status

Document = dict[str, Any]


def made(
    *cells: Document,
    items: int | None = None,
    template: Document | None = None,
    **status: Any,
) -> Document:
    """Return the Workflow `net-14`; a cell is the phase of its job, or the fields of its nodes (see `_cell`)."""
    count = max(len(cells), items or 0)
    nodes = {
        "root": node("net-14", "DAG", "Running"),
        "set": node("net-14.set", "DAG", "Running"),
    }
    for i, cell in enumerate(cells):
        nodes |= {n["name"]: n for n in _cell(i, cell)}
    with_items = [{"riseml-sub": str(i + 1), "lr": f"1e-{i}"} for i in range(count)]
    cell_task = {
        "name": "experiment",
        "template": "experiment",
        "withItems": with_items,
    }
    train = {
        "name": "train",
        "container": {"image": "python:3", "args": ["script", "riseml", "a"]},
        **(template or {}),
    }
    templates = [
        {"name": "main", "dag": {"tasks": [{"name": "set", "template": "set"}]}},
        {"name": "set", "parallelism": 2, "dag": {"tasks": [cell_task]}},
        {
            "name": "experiment",
            "dag": {"tasks": [{"name": "train", "template": "train"}]},
        },
        train,
    ]
    names = {"user": "me", "project": "net", "number": "14", "kind": "set"}
    metadata = {
        "name": "net-14",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {f"riseml.io/{key}": value for key, value in names.items()},
        "annotations": {"riseml.io/killed": ""},
    }
    return {
        "metadata": metadata,
        "spec": {"entrypoint": "main", "templates": templates},
        "status": {"phase": "Running", "nodes": nodes, **status},
    }


def node(name: str, kind: str, phase: str, **fields: Any) -> Document:
    """Return a node; one that has ended did so at 00:01:00."""
    ended = (
        {}
        if phase in {"Pending", "Running", ""}
        else {"finishedAt": "2026-01-01T00:01:00Z"}
    )
    return {
        "id": name,
        "name": name,
        "type": kind,
        "phase": phase,
        "startedAt": "2026-01-01T00:00:10Z",
        **ended,
        **fields,
    }


def _cell(position: int, cell: Document) -> Iterator[Document]:
    name = (
        f"net-14.set.experiment({position}:lr:1e-{position},riseml-sub:{position + 1})"
    )
    phase = str(cell.get("phase", "Running"))
    yield node(name, "DAG", phase if phase != "Pending" else "Running")
    fields = {
        key: value
        for key, value in cell.items()
        if key not in {"phase", "code", "attempts"}
    }
    if cell.get("code") is not None:
        fields["outputs"] = {"exitCode": str(cell["code"])}
    if "attempts" in cell:
        yield node(f"{name}.train", "Retry", cell["phase"], **fields)
        for i, (phase, code) in enumerate(cell["attempts"]):
            yield node(
                f"{name}.train({i})", "Pod", phase, outputs={"exitCode": str(code)}
            )
    elif "phase" in cell:
        yield node(f"{name}.train", "Pod", cell["phase"], **fields)


def killed(document: Document, entries: str, **spec: Any) -> Document:
    """Return the document with an annotation of kills."""
    document["metadata"]["annotations"]["riseml.io/killed"] = entries
    document["spec"].update(spec)
    return document


def first(document: Document) -> status.ExperimentStatus:
    """Return the first experiment of a document."""
    return status.read(document).experiments[0]
