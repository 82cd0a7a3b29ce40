"""What the local engine knows of one node of a running Workflow, and how it is kept as one flat row.

A node is what Argo shows under `status.nodes`: a DAG, a task group, a retry group, a pod, or a task that was skipped.
Everything that the interpreter must remember is in the nodes, so a run is restored from its rows alone.
"""

import json
from collections.abc import Iterable
from typing import Final

PENDING: Final = "Pending"
RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"
ERROR: Final = "Error"
SKIPPED: Final = "Skipped"
OMITTED: Final = "Omitted"

DELETION: Final = "deletion"

COMPLETED: Final = frozenset({SUCCEEDED, FAILED, ERROR})
UNSUCCESSFUL: Final = frozenset({FAILED, ERROR})
FINAL: Final = frozenset({SUCCEEDED, FAILED, ERROR, SKIPPED, OMITTED})

DAG: Final = "DAG"
TASK_GROUP: Final = "TaskGroup"
RETRY: Final = "Retry"
POD: Final = "Pod"
SKIPPED_TYPE: Final = "Skipped"

Pairs = tuple[tuple[str, str], ...]


class Node:
    """One node; times are unix seconds, `None` where something has not happened yet.

    `started_at` and `finished_at` are Argo's: made, and brought to its phase (a daemon: become ready). `running_at` is
    when its container began, `ended_at` when its processes were gone; on the root `ended_at` is the end of the run.
    `launched` says that the shell was asked to start its pod. `sequence` counts nodes in the order of their making.
    """

    __slots__ = (
        "boundary", "daemoned", "ended_at", "exit_code", "finished_at", "hooked", "id", "inputs", "launched",
        "message", "name", "outputs", "parents", "phase", "progress", "retried", "running_at", "sequence", "started_at",
        "stopped_by", "template", "type", "waiting",
    )  # fmt: skip

    id: str
    name: str
    type: str
    template: str
    # Id of the DAG that it is a task of, "" for the root
    boundary: str
    # Ids of the nodes that list it as a child
    parents: tuple[str, ...]
    phase: str
    message: str
    started_at: float
    running_at: float | None
    finished_at: float | None
    ended_at: float | None
    exit_code: int | None
    inputs: Pairs
    outputs: Pairs
    progress: str
    # The lock it waits for, "" when none
    waiting: str
    launched: bool
    daemoned: bool
    # DELETION of its pod, or on the root the strategy of a shutdown; "" when by nobody
    stopped_by: str
    hooked: bool
    retried: bool
    sequence: int

    def __init__(
        self,
        id: str,  # noqa: A002
        name: str,
        type: str,  # noqa: A002
        template: str,
        phase: str,
        *,
        started_at: float,
        boundary: str = "",
        parents: Iterable[str] = (),
        message: str = "",
        inputs: Pairs = (),
        sequence: int = 0,
    ) -> None:
        self.id, self.name, self.type, self.template, self.phase = (
            id,
            name,
            type,
            template,
            phase,
        )
        self.boundary, self.parents, self.message, self.inputs = (
            boundary,
            tuple(parents),
            message,
            inputs,
        )
        self.started_at, self.sequence = started_at, sequence
        self.running_at = self.ended_at = self.exit_code = None
        self.finished_at = started_at if phase in FINAL else None
        self.outputs = ()
        self.progress = self.waiting = self.stopped_by = ""
        self.launched = self.daemoned = self.hooked = self.retried = False

    @property
    def live(self) -> bool:
        """Whether the shell was asked to start its pod and has not yet said that it is gone."""
        return self.launched and self.ended_at is None

    @property
    def fulfilled(self) -> bool:
        """Whether what depends on it may go on: it has its final phase, or is a daemon that is ready."""
        if self.daemoned:
            return self.phase != PENDING
        # Argo waits for the executor's report before it believes that a pod that was running has failed.
        reported = self.running_at is None or not self.live
        return self.phase in FINAL and (reported or self.phase not in UNSUCCESSFUL)

    def to_row(self) -> tuple[str | int | float | None, ...]:
        """Return the values of `COLUMNS`: text, numbers and nulls, as SQLite keeps them."""
        return (
            self.id, self.name, self.type, self.template, self.boundary, json.dumps(self.parents), self.phase,
            self.message, self.started_at, self.running_at, self.finished_at, self.ended_at, self.exit_code,
            json.dumps(self.inputs), json.dumps(self.outputs), self.progress, self.waiting, self.stopped_by,
            int(self.launched), int(self.daemoned), int(self.hooked), int(self.retried), self.sequence,
        )  # fmt: skip

    @classmethod
    def from_row(cls, row: "Iterable[str | int | float | None]") -> "Node":
        """Return the node whose `to_row` was `row`."""
        node = cls.__new__(cls)
        for name, value in zip(COLUMNS, row, strict=True):
            setattr(node, name, value)
        node.parents = tuple(json.loads(str(node.parents)))
        node.inputs, node.outputs = _pairs(str(node.inputs)), _pairs(str(node.outputs))
        for name in ("launched", "daemoned", "hooked", "retried"):
            setattr(node, name, bool(getattr(node, name)))
        return node

    def __repr__(self) -> str:
        return f"<{self.type} {self.name}: {self.phase}>"


def _pairs(text: str) -> Pairs:
    return tuple((name, value) for name, value in json.loads(text))


COLUMNS: Final = {
    "id": "TEXT", "name": "TEXT", "type": "TEXT", "template": "TEXT", "boundary": "TEXT", "parents": "TEXT",
    "phase": "TEXT", "message": "TEXT", "started_at": "REAL", "running_at": "REAL", "finished_at": "REAL",
    "ended_at": "REAL", "exit_code": "INTEGER", "inputs": "TEXT", "outputs": "TEXT", "progress": "TEXT",
    "waiting": "TEXT", "stopped_by": "TEXT", "launched": "INTEGER", "daemoned": "INTEGER", "hooked": "INTEGER",
    "retried": "INTEGER", "sequence": "INTEGER",
}  # fmt: skip
"""Names and SQLite types of a row's values, in order."""


def completed(progress: str) -> str:
    """Return the `n/m` of a job that is through."""
    total = progress.partition("/")[2] or "1"
    return f"{total}/{total}"


def node_id(workflow: str, name: str) -> str:
    """Return the id that Argo gives to the node `name`: the workflow's name and the FNV-1a hash of the node's."""
    return workflow if name == workflow else f"{workflow}-{fnv1a(name)}"


def pod_name(workflow: str, name: str, template: str) -> str:
    """Return the name that Argo gives to the pod of the node `name`."""
    return (
        workflow
        if name == workflow
        else f"{workflow}-{template}"[:242] + f"-{fnv1a(name)}"
    )


def fnv1a(text: str) -> int:
    """Return the 32-bit FNV-1a hash of the text's UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
