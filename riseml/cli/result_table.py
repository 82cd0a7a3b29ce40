"""Table of results for people: which columns have room, and how values are written."""

import bisect
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any

from riseml import phrases
from riseml.cli import symbols
from riseml.cli.table import Column, cells_wide, render
from riseml.cli.terminal import Terminal
from riseml.client.result_fields import ResultColumn
from riseml.client.results import Results

# The least width of columns of values, and the width of the columns before them.
_SHORTEST, _FIXED_WIDTH = 6, 20
_MISSING = {"result": "-", "param": "", "field": "-"}


def fitting(results: Results, screen: Terminal) -> Sequence[ResultColumn]:
    """Return the columns that have room: all, if those of results can be cut to fit.

    Otherwise the columns are not cut, and the one that decides is among them.
    """
    metrics = list(filter(attrgetter("is_result"), results.columns))
    if screen.width is None:
        return results.columns
    widths = list(map(partial(_width, results), metrics))
    others = len(results.columns) - len(metrics)
    # Two columns, id and state, are in the fixed width.
    room = screen.width - _FIXED_WIDTH - (_SHORTEST + 1) * (others - 2)
    least = len(widths) + sum(map(partial(min, _SHORTEST), widths))
    if least <= room:
        return results.columns
    # The sort is stable, and only the metric that decides comes before its neighbors.
    order = sorted(
        range(len(metrics)), key=lambda index: metrics[index].name != results.metric
    )
    ends = itertools.accumulate(widths[index] + 1 for index in order)
    count = max(1, bisect.bisect_right(list(ends), room))
    hidden = {metrics[index] for index in order[count:]}
    return list(itertools.filterfalse(hidden.__contains__, results.columns))


def lines(
    results: Results,
    columns: Sequence[ResultColumn],
    screen: Terminal,
    *,
    headers: bool,
) -> list[str]:
    """Return the lines of a table with these columns."""
    mark = symbols.best(screen)
    table_columns = [Column("", 1, styles={mark: "yellow"})]
    cells: list[list[str]] = []
    for column in columns:
        table_columns.append(_column(column, screen))
        cells.append(_cells(results, column, screen))
    marks = [mark if row.id == results.best else "" for row in results.rows]
    rows = list(zip(marks, *cells, strict=True))
    return render(table_columns, rows, screen, headers=headers)


def _column(column: ResultColumn, screen: Terminal) -> Column:
    fields = {
        "id": Column("EXP ID", 6),
        "state": Column("STATE", 10, styles=symbols.styles(screen), drop=1),
    }
    if column.kind == "field":
        return fields.get(column.name, Column(column.title.upper()))
    # Digits of the same weight stand below each other.
    return Column(column.title, shortest=_SHORTEST, right=column.kind == "result")


def _cells(results: Results, column: ResultColumn, screen: Terminal) -> list[str]:
    if column.title == "state":
        return [symbols.experiment(row, screen) for row in results.rows]
    return list(map(partial(_text, column), results.values(column)))


def _text(column: ResultColumn, value: Any) -> str:
    if value is None:
        return _MISSING[column.kind]
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if column.title == "duration":
        return phrases.span(timedelta(seconds=value))
    return phrases.value(value)


def _width(results: Results, column: ResultColumn) -> int:
    """Return the width of a column of results."""
    cells = map(partial(_text, column), results.values(column))
    return max(map(cells_wide, (column.title, *cells)))
