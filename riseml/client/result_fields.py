"""Columns of results: the names of values, in tables, filters and orders.

id, state, run, project, …      fields, which every experiment has
lr, or param.lr                 a parameter; the longer form if another column has its name
accuracy, or result.accuracy    a result, the same way

A name without a prefix is that of a field, else of a result, else of a parameter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from riseml.dataclass import dataclass
from riseml.status import ExperimentStatus, SetStatus

PARAMETER, RESULT = "param.", "result."
Row = tuple[ExperimentStatus, SetStatus]
"""An experiment, and its run without experiments."""


def _seconds(row: Row) -> float | None:
    experiment, _ = row
    if experiment.started is None or experiment.finished is None:
        return None
    return (experiment.finished - experiment.started).total_seconds()


_TIMES = ("created", "started", "finished")


def _parameters(row: Row) -> Mapping[str, Any]:
    return row[0].parameters


def _results(row: Row) -> Mapping[str, Any]:
    return row[0].results


FIELDS: dict[str, Callable[[Row], Any]] = {
    "id": lambda row: row[0].id,
    "state": lambda row: str(row[0].state),
    "run": lambda row: row[1].id,
    "project": lambda row: row[1].project,
    "user": lambda row: row[1].user,
    "name": lambda row: row[1].marks.name,
    "tags": lambda row: " ".join(row[1].marks.tags),
    "note": lambda row: row[1].marks.note,
    "reason": lambda row: row[0].reason,
    "created": lambda row: row[0].created,
    "started": lambda row: row[0].started,
    "finished": lambda row: row[0].finished,
    "duration": _seconds,
}
"""Values of an experiment that are neither parameters nor results."""

ALWAYS = ("id", "state")
"""Fields that tables show unless other columns are chosen."""


@dataclass(frozen=True)
class ResultColumn:
    """A column: its unique title, the name of its value, and whether that is a `field`, `param` or `result`."""

    title: str
    name: str
    kind: str

    @property
    def is_time(self) -> bool:
        """Whether its values are points in time."""
        return self.kind == "field" and self.name in _TIMES

    @property
    def is_result(self) -> bool:
        """Whether its values are results."""
        return self.kind == "result"

    @property
    def has_numbers(self) -> bool:
        """Whether its values may be numbers."""
        return self.kind != "field" or self.name == "duration"

    @property
    def value(self) -> Callable[[Row], Any]:
        """The function that returns the value of an experiment, None where it has none."""
        if self.kind == "field":
            return FIELDS[self.name]
        source = {"param": _parameters, "result": _results}[self.kind]
        return lambda row: source(row).get(self.name)


class ResultColumns:
    """All columns of some results, with unique titles."""

    def __init__(self, parameters: Sequence[str], results: Sequence[str]) -> None:
        clashes = {*FIELDS, ""} | (set(parameters) & set(results))
        names = {*parameters, *results}
        if any(name.startswith((PARAMETER, RESULT)) for name in names):
            # Such a name could be that of a column already.
            clashes |= names
        self.fields = _columns(FIELDS, "field", set())
        self.parameters = _columns(parameters, "param", clashes)
        self.results = _columns(results, "result", clashes)
        self._by_name = _by_name(self.fields, self.results, self.parameters)

    @property
    def usual(self) -> tuple[ResultColumn, ...]:
        """The columns of a table for which none were chosen."""
        return (*self.fields[: len(ALWAYS)], *self.parameters, *self.results)

    @property
    def names(self) -> list[str]:
        """The titles of all columns, those of parameters and results first."""
        columns = (*self.results, *self.parameters, *self.fields)
        return list(map(attrgetter("title"), columns))

    def find(self, name: str) -> ResultColumn | None:
        """Return the column that a name means, None if there is none."""
        return self._by_name.get(name)


def _columns(
    names: Iterable[str], kind: str, clashes: set[str]
) -> tuple[ResultColumn, ...]:
    columns = []
    for name in names:
        title = f"{kind}.{name}" if name in clashes else name
        columns.append(ResultColumn(title, name, kind))
    return tuple(columns)


def _by_name(
    fields: Iterable[ResultColumn],
    results: Iterable[ResultColumn],
    parameters: Iterable[ResultColumn],
) -> Mapping[str, ResultColumn]:
    by_name: dict[str, ResultColumn] = {}
    for column in (*fields, *results, *parameters):
        by_name.setdefault(column.name, column)
        by_name[f"{column.kind}.{column.name}"] = column
    return by_name
