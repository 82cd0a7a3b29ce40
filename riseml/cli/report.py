"""Output of a list in every format of `-o`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from riseml.cli import output, terminal
from riseml.cli.table import Column, render


@dataclass(frozen=True)
class Report:
    """A list of things in every format.

    `columns` and `rows` make the table and, with `csv_titles`, the CSV file (None: the
    titles of the columns). `records` is plain data for JSON and YAML. `names` are the
    lines of `-o name`.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    records: Sequence[Any]
    names: Sequence[str]
    csv_titles: Sequence[str] | None = None


def write(report: Report, output_format: str, *, headers: bool = True) -> None:
    """Print a report in one of the formats of `options.OutputFormat`."""
    if output_format in {"json", "yaml"}:
        output.data(list(report.records), output_format)
    elif output_format == "name":
        output.lines(report.names)
    elif output_format == "csv":
        titles = report.csv_titles or [column.title for column in report.columns]
        output.csv(titles, report.rows)
    else:
        # table or wide
        screen = terminal.stdout()
        output.lines(render(report.columns, report.rows, screen, headers=headers))
