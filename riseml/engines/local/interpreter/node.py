"""Nodes of a running Workflow, and the database row of each.

A node is an entry of Argo's `status.nodes`: a DAG, a task group, a retry group, a pod,
or a task that was skipped. The nodes hold everything that the interpreter must
remember, so a run is restored from its rows alone.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

PENDING: Final = "Pending"
RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"
ERROR: Final = "Error"
SKIPPED: Final = "Skipped"
OMITTED: Final = "Omitted"

DELETION: Final = "deletion"

ACTIVE: Final = frozenset({PENDING, RUNNING})
COMPLETED: Final = frozenset({SUCCEEDED, FAILED, ERROR})
UNSUCCESSFUL: Final = frozenset({FAILED, ERROR})
FINAL: Final = frozenset({SUCCEEDED, FAILED, ERROR, SKIPPED, OMITTED})

DAG: Final = "DAG"
TASK_GROUP: Final = "TaskGroup"
RETRY: Final = "Retry"
POD: Final = "Pod"
SKIPPED_TYPE: Final = "Skipped"

_SLOT_TYPES: Final = frozenset({POD, DAG, RETRY})
_FAILURE_TYPES: Final = frozenset({POD, DAG})

Strings = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]
Value = str | int | float | None
"""A value that SQLite stores."""


# Nodes are compared by identity: two of them never stand for the same thing.
@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Node:
    """One node. The fields are the columns of its row, in this order.

    Times are Unix seconds, None for what has not happened yet.

    Attributes:
        boundary: Id of the DAG that the node is a task of, empty for the root.
        parents: Ids of the nodes that list it as a child.
        started_at: When it was created, as in Argo.
        running_at: When its container started.
        finished_at: When it reached its final phase, or became ready (a daemon).
        ended_at: When its processes were gone; for the root, when the run ended.
        waiting: The locks that it waits for, one a line.
        stopped_by: DELETION if its pod was deleted; for the root, the strategy of a
            shutdown; otherwise empty.
        launched: Whether the shell was asked to start its pod.
        sequence: The number of nodes that were created before it.
    """

    id: str
    name: str
    type: str
    template: str
    boundary: str = ""
    parents: Strings = ()
    phase: str
    message: str = ""
    started_at: float
    running_at: float | None = None
    finished_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    inputs: Pairs = ()
    outputs: Pairs = ()
    progress: str = ""
    waiting: str = ""
    stopped_by: str = ""
    launched: bool = False
    daemoned: bool = False
    hooked: bool = False
    retried: bool = False
    sequence: int = 0

    @property
    def active(self) -> bool:
        """Whether it is Pending or Running."""
        return self.phase in ACTIVE

    @property
    def occupies_slot(self) -> bool:
        """Whether it counts towards the parallelism of its DAG while it is active.

        The retry group counts, its attempts do not.
        """
        return self.type in _SLOT_TYPES and not self.retried and not self.hooked

    @property
    def counts_as_failure(self) -> bool:
        """Whether it failed so that `failFast` of the DAG's template reacts."""
        return (
            self.phase in UNSUCCESSFUL
            and self.type in _FAILURE_TYPES
            and not self.hooked
        )

    @property
    def live(self) -> bool:
        """Whether the shell was asked to start its pod and has not reported its end."""
        return self.launched and self.ended_at is None

    @property
    def fulfilled(self) -> bool:
        """Whether its dependents may start: it has ended, or is a ready daemon."""
        if self.daemoned:
            return self.phase != PENDING
        if self.phase in UNSUCCESSFUL:
            # Argo believes that a running pod has failed only when the executor reports
            # it.
            return self.running_at is None or not self.live
        return self.phase in FINAL

    def to_row(self) -> tuple[Value, ...]:
        """Return the values of `COLUMNS`."""
        values = list(_ALL_VALUES(self))
        for position, encode in _ENCODERS:
            values[position] = encode(values[position])
        return tuple(values)

    @classmethod
    def from_row(cls, row: Iterable[Value]) -> "Node":
        """Return the node for which `to_row` returned `row`.

        Raises:
            ValueError: the row does not have as many values as there are columns, or
                one cannot be decoded.
        """
        values: list[object] = list(row)
        if len(values) != len(COLUMNS):
            raise ValueError(f"{len(values)} values for {len(COLUMNS)} columns")
        for position, decode in _DECODERS:
            values[position] = decode(values[position])
        node = cls.__new__(cls)
        for name, value in zip(COLUMNS, values, strict=True):
            setattr(node, name, value)
        return node

    def __repr__(self) -> str:
        return f"<{self.type} {self.name}: {self.phase}>"


def _encode(values: Strings | Pairs) -> str:
    # Most nodes have no inputs or outputs, and json.dumps takes a third of a row's time.
    return json.dumps(values) if values else "[]"


def _decode_strings(text: str) -> Strings:
    return tuple(json.loads(str(text)))


def _decode_pairs(text: str) -> Pairs:
    # Most nodes have no outputs, and listing reads the nodes of many runs.
    if text == "[]":
        return ()
    pairs = json.loads(str(text))
    return tuple((name, value) for name, value in pairs)


class _Column(NamedTuple):
    """The SQLite type of a field, and how its values are converted."""

    sql_type: str
    encode: Callable[[Any], Value] | None = None
    decode: Callable[[Any], object] | None = None


_COLUMN_OF_TYPE: Final[dict[object, _Column]] = {
    str: _Column("TEXT"),
    int: _Column("INTEGER"),
    int | None: _Column("INTEGER"),
    float: _Column("REAL"),
    float | None: _Column("REAL"),
    # SQLite writes True as 1.
    bool: _Column("INTEGER", None, bool),
    Strings: _Column("TEXT", _encode, _decode_strings),
    Pairs: _Column("TEXT", _encode, _decode_pairs),
}

_NODE_COLUMNS: Final = {
    field.name: _COLUMN_OF_TYPE[field.type] for field in fields(Node)
}

COLUMNS: Final = {name: column.sql_type for name, column in _NODE_COLUMNS.items()}
"""Names and SQLite types of a row's values, in order."""

# Every change of a node writes its row, so what depends on the fields is computed once.
_ALL_VALUES: Final = attrgetter(*COLUMNS)
_ENCODERS: Final = tuple(
    (position, column.encode)
    for position, column in enumerate(_NODE_COLUMNS.values())
    if column.encode is not None
)
_DECODERS: Final = tuple(
    (position, column.decode)
    for position, column in enumerate(_NODE_COLUMNS.values())
    if column.decode is not None
)


_PROGRESS: Final = re.compile(r"(\d{1,18})/(\d{1,18})")


def is_progress(text: str) -> bool:
    """Tell whether a text is `n/m` with n ≤ m and m > 0, in which a job reports."""
    match = _PROGRESS.fullmatch(text)
    if match is None:
        return False
    total = int(match[2])
    return int(match[1]) <= total and total > 0


def complete_progress(progress: str) -> str:
    """Return the `n/m` of a job that has succeeded: `m/m`."""
    total = progress.partition("/")[2] or "1"
    return f"{total}/{total}"


def node_id(workflow: str, name: str) -> str:
    """Return Argo's id of a node: the Workflow's name and a hash of the node's."""
    if name == workflow:
        return workflow
    return f"{workflow}-{fnv1a(name)}"


def pod_name(workflow: str, name: str, template: str) -> str:
    """Return the name that Argo gives to the pod of the node `name`."""
    if name == workflow:
        return workflow
    # Argo shortens the first part so that the name fits into the 253 characters of
    # Kubernetes.
    prefix = f"{workflow}-{template}"[:242]
    return f"{prefix}-{fnv1a(name)}"


def fnv1a(text: str) -> int:
    """Return the 32-bit FNV-1a hash of the text's UTF-8 bytes."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
