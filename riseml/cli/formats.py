"""Output of a result in every format of `-o`."""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml import phrases
from riseml.cli import output, terminal
from riseml.cli.table import Column, render
from riseml.dataclass import dataclass, replace


@dataclass(frozen=True)
class Data:
    """A result in the formats for programs.

    `records` is plain data for JSON and YAML, and `names` are the lines of `-o name`.
    `titles` and `rows` make a CSV file.
    """

    records: Any
    names: Sequence[str]
    titles: Sequence[str]
    rows: Sequence[Sequence[str]]


def of_records(records: Sequence[Mapping[str, Any]], kind: type, name: str) -> Data:
    """Return the data of records of one TypedDict, whose fields are the CSV columns.

    Lists and mappings are JSON there. `name` is the field that `-o name` prints.
    """
    titles = list(kind.__annotations__)
    names, rows = [], []
    for record in records:
        names.append(str(record[name]))
        # A field may be missing.
        rows.append([phrases.exact(record.get(title)) for title in titles])
    return Data(records, names, titles, rows)


def of_record(record: Mapping[str, Any], kind: type, name: str) -> Data:
    """Return the data of a single record of a TypedDict; see `of_records`."""
    return replace(of_records([record], kind, name), records=record)


def is_for_people(output_format: str) -> bool:
    """Return whether a format is for people; the others are stable, for programs."""
    return output_format in {"table", "wide"}


def write_data(data: Data, output_format: str, *, headers: bool = True) -> None:
    """Print a result in one of the formats for programs; `headers` are the titles of CSV."""
    if output_format == "name":
        output.names(data.names)
    elif output_format == "csv":
        titles = [data.titles] if headers else []
        output.csv([*titles, *data.rows])
    else:
        output.data(data.records, output_format)


def write_table(
    data: Data,
    columns: Sequence[Column],
    output_format: str,
    *,
    rows: Sequence[Sequence[str]] | None = None,
    no_headers: bool = False,
) -> None:
    """Print a result as a table, or in a format for programs.

    `rows` are those of the table; None stands for those of the CSV file.
    """
    if is_for_people(output_format):
        table = data.rows if rows is None else rows
        screen = terminal.stdout()
        output.lines(render(columns, table, screen, headers=not no_headers))
    else:
        write_data(data, output_format, headers=not no_headers)
