"""Workflows with made-up nodes, for what no cluster does on demand."""

from collections.abc import Iterator
from typing import Any

from riseml import status

Document = dict[str, Any]


def made(
    *experiments: Document,
    items: int | None = None,
    template: Document | None = None,
    **status: Any,
) -> Document:
    """Return the Workflow `net-14`, with an experiment for each set of fields.

    `phase`, `code` and `attempts` describe the job; other fields are those of its node.
    """
    count = max(len(experiments), items or 0)
    nodes = {
        "root": node("net-14", "DAG", "Running"),
        "set": node("net-14.set", "DAG", "Running"),
    }
    for i, experiment in enumerate(experiments):
        nodes |= {n["name"]: n for n in _experiment(i, experiment)}
    with_items = [{"riseml-sub": str(i + 1), "lr": f"1e-{i}"} for i in range(count)]
    task = {
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
        {"name": "set", "parallelism": 2, "dag": {"tasks": [task]}},
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
    """Return a node. If its phase is terminal, it ended at 00:01:00."""
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


def _experiment(position: int, experiment: Document) -> Iterator[Document]:
    name = (
        f"net-14.set.experiment({position}:lr:1e-{position},riseml-sub:{position + 1})"
    )
    phase = str(experiment.get("phase", "Running"))
    yield node(name, "DAG", phase if phase != "Pending" else "Running")
    fields = {
        key: value
        for key, value in experiment.items()
        if key not in {"phase", "code", "attempts"}
    }
    if experiment.get("code") is not None:
        fields["outputs"] = {"exitCode": str(experiment["code"])}
    if "attempts" in experiment:
        yield node(f"{name}.train", "Retry", experiment["phase"], **fields)
        for i, (phase, code) in enumerate(experiment["attempts"]):
            yield node(
                f"{name}.train({i})", "Pod", phase, outputs={"exitCode": str(code)}
            )
    elif "phase" in experiment:
        yield node(f"{name}.train", "Pod", experiment["phase"], **fields)


def killed(document: Document, entries: str, **spec: Any) -> Document:
    """Return the document with these entries in its annotation of kills."""
    document["metadata"]["annotations"]["riseml.io/killed"] = entries
    document["spec"].update(spec)
    return document


def first(document: Document) -> status.ExperimentStatus:
    """Return the first experiment of a document."""
    return status.read(document).experiments[0]
