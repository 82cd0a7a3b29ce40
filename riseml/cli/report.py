"""Output of a result in every format of `-o`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from riseml.cli import output, terminal
from riseml.cli.table import Column, render


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


def is_for_people(output_format: str) -> bool:
    """Return whether a format is for people; the others are stable, for programs."""
    return output_format in {"table", "wide"}


def write_data(data: Data, output_format: str) -> None:
    """Print a result in one of the formats for programs."""
    if output_format == "name":
        output.names(data.names)
    elif output_format == "csv":
        output.csv(data.titles, data.rows)
    else:
        output.data(data.records, output_format)


def write_table(
    data: Data,
    columns: Sequence[Column],
    output_format: str,
    *,
    no_headers: bool = False,
) -> None:
    """Print the rows of a result as a table, or the result in a format for programs."""
    if is_for_people(output_format):
        screen = terminal.stdout()
        output.lines(render(columns, data.rows, screen, headers=not no_headers))
    else:
        write_data(data, output_format)
