"""`riseml results`."""

from typing import Annotated, Literal

import typer

from riseml.cli import options, output, symbols, terminal, text
from riseml.cli.table import Column, render
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.client.results import Results
from riseml.status import ExperimentStatus


def command(
    id: options.OneId = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort",
            metavar="NAME",
            show_default=False,
            help="Best first by this result.",
        ),
    ] = None,
    largest: Annotated[
        bool | None,
        typer.Option(
            "--max/--min",
            show_default=False,
            help="Whether a large or a small value is best.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            metavar="N",
            min=1,
            show_default=False,
            help="Only the first N rows.",
        ),
    ] = None,
    form: Annotated[
        Literal["table", "wide", "json", "yaml", "csv", "name"],
        typer.Option(
            "-o",
            "--output",
            metavar="FORMAT",
            help="table, wide, json, yaml, csv or name.",
        ),
    ] = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """Compare the parameters and results of a set's experiments.

    Values under a name such as loss or error are best when small, all others when large; --max and --min decide.
    The best experiment is marked. What has reported no number comes last.

    Examples:
      riseml results 14 --sort accuracy --top 5
      riseml results -o csv > results.csv
    """
    found = Client().results(id, sort=sort, largest=largest, top=top)
    if form in {"json", "yaml"}:
        output.data(_record(found), form)
    elif form == "csv":
        titles = ["id", "state", *found.parameters, *found.metrics]
        output.csv(
            titles,
            (
                [row.id, str(row.state), *_values(row, found, exact=True)]
                for row in found.rows
            ),
        )
    elif form == "name":
        output.lines(row.id for row in found.rows)
    else:
        output.lines(_lines(found, terminal.stdout(), headers=not no_headers))
        if found.best is not None:
            direction = "larger" if found.largest else "smaller"
            output.note(
                f"{_mark(terminal.stdout())} best by {found.metric}: {direction} is better."
            )
        elif not found.metrics:
            output.note(
                "No results yet: jobs report them by `riseml.report_result(accuracy=0.9)`."
            )


def _lines(found: Results, screen: Terminal, *, headers: bool) -> list[str]:
    mark = _mark(screen)
    columns = [
        Column("", 1, styles={mark: "yellow"}),
        Column("EXP ID", 6),
        Column("STATE", 10, styles=symbols.styles(screen), drop=1),
        *(Column(name, shortest=6) for name in found.parameters),
        *(Column(name, shortest=6, right=True) for name in found.metrics),
    ]
    rows = [
        [
            mark if row.id == found.best else "",
            row.id,
            symbols.state(row.state, screen),
            *_values(row, found, exact=False),
        ]
        for row in found.rows
    ]
    return render(columns, rows, screen, headers=headers)


def _mark(screen: Terminal) -> str:
    return "★" if screen.unicode else "*"


def _values(row: ExperimentStatus, found: Results, *, exact: bool) -> list[str]:
    result = row.result or {}
    given = [row.parameters.get(name, "") for name in found.parameters]
    missing = "" if exact else "-"
    show = text.exact if exact else text.value
    return given + [
        show(result[name]) if name in result else missing for name in found.metrics
    ]


def _record(found: Results) -> dict[str, object]:
    return {
        "id": found.id,
        "metric": found.metric,
        "best": found.best,
        "parameters": list(found.parameters),
        "metrics": list(found.metrics),
        "experiments": [
            {
                "id": row.id,
                "state": str(row.state),
                "parameters": dict(row.parameters),
                "result": dict(row.result or {}),
                "best": row.id == found.best,
            }
            for row in found.rows
        ],
    }
