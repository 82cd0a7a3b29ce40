"""Results in notebooks: as a data frame of pandas, and as an HTML table."""

import html
import math
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from riseml.client.result_fields import ResultColumn
from riseml.errors import RiseMLError

if TYPE_CHECKING:
    from riseml.client.results import Results

# A notebook shows all of a long table, and becomes slow.
_MAX_ROWS = 100
_BEST = ' style="font-weight: bold"'


# pandas has no types, and is no dependency.
def to_pandas(results: "Results") -> Any:
    """Return results as a data frame; see `Results.to_pandas`."""
    try:
        pandas = import_module("pandas")
    except ImportError:
        raise RiseMLError(
            "pandas is not installed in this Python",
            "Install it with `pip install pandas`.",
        ) from None
    data = {}
    for column in results.columns:
        data[column.title] = _series(pandas, column, results.values(column))
    return pandas.DataFrame(data)


def _series(pandas: Any, column: ResultColumn, values: list[Any]) -> Any:
    if column.is_time:
        return pandas.to_datetime(pandas.Series(values, dtype="object"), utc=True)
    # Text that is a number for all experiments becomes one; other text stays.
    if column.has_numbers:
        series = pandas.Series(values, dtype="object").replace("NaN", math.nan)
        with suppress(TypeError, ValueError):
            return pandas.to_numeric(series)
    return pandas.Series(values)


def to_html(results: "Results") -> str:
    """Return results as an HTML table; names and values cannot contain tags of their own."""
    titles = [html.escape(column.title) for column in results.columns]
    header = "".join(map("<th>{}</th>".format, titles))
    columns = [map(_cell, results.values(column)) for column in results.columns]
    lines = []
    for row, *cells in zip(results.rows[:_MAX_ROWS], *columns, strict=False):
        style = _BEST if row.id == results.best else ""
        lines.append(f"<tr{style}>{''.join(cells)}</tr>\n")
    hidden = max(0, len(results.rows) - _MAX_ROWS)
    note = f"<p>and {hidden} more rows</p>" if hidden else ""
    body = "".join(lines)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>{note}"


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"<td>{html.escape(text)}</td>"
