"""The list that `riseml status` prints: runs, and with `long` the experiments of sets."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from riseml.cli import symbols, text
from riseml.cli.table import Column, render
from riseml.cli.terminal import Terminal
from riseml.status import ExperimentStatus, SetStatus


def lines(
    runs: Sequence[SetStatus],
    terminal: Terminal,
    now: datetime,
    *,
    long: bool = False,
    users: bool = False,
    headers: bool = True,
) -> list[str]:
    """Return the lines of the table."""
    table = rows(runs, terminal, now, long=long, users=users)
    return render(
        columns(terminal, long=long, users=users), table, terminal, headers=headers
    )


def columns(
    terminal: Terminal, *, long: bool = False, users: bool = False
) -> list[Column]:
    """Return the columns, as wide as the original's at least."""
    return [
        Column("ID", 6),
        *([Column("USER", 6, shortest=6, drop=2)] if users else []),
        Column("PROJECT", 14, shortest=8, drop=3),
        Column("STATE", 10, styles=symbols.styles(terminal)),
        Column("AGE", 11, drop=4),
        Column("TYPE", 15, drop=5),
        *(
            [Column("PARAMS", 14, shortest=8, drop=1), Column("RESULT", 14, shortest=8)]
            if long
            else []
        ),
    ]


def rows(
    runs: Iterable[SetStatus],
    terminal: Terminal,
    now: datetime,
    *,
    long: bool = False,
    users: bool = False,
) -> list[list[str]]:
    """Return the cells: a row for each run, and with `long` one for each experiment of a set."""
    table = []
    for run in runs:
        row = [
            run.id,
            run.project,
            symbols.state(run.state, terminal),
            text.age(run.created, now),
        ]
        row.append("Set" if run.is_set else "Experiment")
        if users:
            row.insert(1, run.user)
        if long:
            single = run.experiments[0] if run.experiments and not run.is_set else None
            row += [
                text.pairs(single.parameters) if single else "",
                text.pairs(run.result),
            ]
        table.append(row)
        if long and run.is_set:
            table += _below(run, terminal, now, users=users)
    return table


def _below(
    run: SetStatus, terminal: Terminal, now: datetime, *, users: bool
) -> list[list[str]]:
    last = len(run.experiments) - 1
    return [
        _experiment(
            run,
            each,
            symbols.branch(terminal, last=position == last),
            terminal,
            now,
            users=users,
        )
        for position, each in enumerate(run.experiments)
    ]


def _experiment(
    run: SetStatus,
    each: ExperimentStatus,
    branch: str,
    terminal: Terminal,
    now: datetime,
    *,
    users: bool,
) -> list[str]:
    row = [
        f"{branch}{each.id}",
        run.project,
        symbols.state(each.state, terminal),
        text.age(each.created or run.created, now),
        f"{branch}Experiment",
        text.pairs(each.parameters),
        text.pairs(each.result),
    ]
    if users:
        row.insert(1, run.user)
    return row
