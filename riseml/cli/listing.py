"""Table of runs for `riseml status`; `long` adds the experiments of sets."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from riseml import phrases
from riseml.cli import run_progress, symbols
from riseml.cli.statuses import single_experiment
from riseml.cli.table import Column, render
from riseml.cli.terminal import Terminal
from riseml.plan import NO_MARKS
from riseml.status import ExperimentStatus, SetStatus, key_holder


def lines(
    runs: Sequence[SetStatus],
    terminal: Terminal,
    now: datetime,
    *,
    long: bool = False,
    users: bool = False,
    headers: bool = True,
    progress: bool = False,
) -> list[str]:
    """Return the lines of the table; `progress` adds how far runs are."""
    table = rows(runs, terminal, now, long=long, users=users)
    titles = columns(terminal, long=long, users=users)
    if any(run.marks != NO_MARKS for run in runs):
        titles.insert(1, Column("NAME", 8, shortest=8, drop=6))
        names = [phrases.named(run.marks) for run in runs]
        cells = _beside_runs(runs, names, long=long)
        for row, cell in zip(table, cells, strict=True):
            row.insert(1, cell)
    people = [key_holder.person(run.submitter, run.user) for run in runs]
    if any(people):
        titles.append(Column("BY", 8, shortest=8, drop=6))
        cells = _beside_runs(runs, people, long=long)
        for row, cell in zip(table, cells, strict=True):
            row.append(cell)
    if progress:
        cells = _progress(runs, terminal, now, long=long)
        # Other columns yield first.
        titles.append(Column("PROGRESS", max(map(len, cells), default=0)))
        for row, cell in zip(table, cells, strict=True):
            row.append(cell)
    return render(titles, table, terminal, headers=headers)


def _beside_runs(
    runs: Sequence[SetStatus], texts: Sequence[str], *, long: bool
) -> list[str]:
    """Return a cell for each run, and empty ones for their experiments."""
    cells = []
    for run, text in zip(runs, texts, strict=True):
        listed = run.experiments if long and run.is_set else ()
        cells += [text, *[""] * len(listed)]
    return cells


def _progress(
    runs: Sequence[SetStatus], terminal: Terminal, now: datetime, *, long: bool
) -> list[str]:
    """Return the cells of the column PROGRESS, in the order of the rows."""
    cells = []
    for run in runs:
        cells.append(run_progress.of_run(run, terminal, now))
        listed = run.experiments if long and run.is_set else ()
        for experiment in listed:
            cell = run_progress.of_experiment(experiment, terminal, now, exact=False)
            cells.append(cell)
    return cells


def columns(
    terminal: Terminal, *, long: bool = False, users: bool = False
) -> list[Column]:
    """Return the columns."""
    # The minimal widths are those of RiseML 1.
    selected = [
        Column("ID", 6),
        Column("PROJECT", 14, shortest=8, drop=3),
        Column("STATE", 10, styles=symbols.styles(terminal)),
        Column("AGE", 11, drop=4),
        Column("TYPE", 15, drop=5),
    ]
    if users:
        selected.insert(1, Column("USER", 6, shortest=6, drop=2))
    if long:
        selected.append(Column("PARAMS", 14, shortest=8, drop=1))
        selected.append(Column("RESULT", 14, shortest=8))
    return selected


def rows(
    runs: Iterable[SetStatus],
    terminal: Terminal,
    now: datetime,
    *,
    long: bool = False,
    users: bool = False,
) -> list[list[str]]:
    """Return a row for each run, and with `long` one for each experiment of a set."""
    table = []
    for run in runs:
        row = [
            run.id,
            run.project,
            symbols.run(run, terminal),
            phrases.age(run.created, now),
            "Set" if run.is_set else "Experiment",
        ]
        if users:
            row.insert(1, run.user)
        # A set has parameters and results only through its experiments, listed below.
        if long:
            experiment = single_experiment(run)
            row.append(phrases.pairs(experiment.parameters) if experiment else "")
            row.append(phrases.pairs(run.result))
        table.append(row)
        if long and run.is_set:
            table += _experiments(run, terminal, now, users=users)
    return table


def _experiments(
    run: SetStatus, terminal: Terminal, now: datetime, *, users: bool
) -> list[list[str]]:
    # The branch of the last experiment closes the tree.
    last = len(run.experiments) - 1
    table = []
    for position, experiment in enumerate(run.experiments):
        branch = symbols.branch(terminal, last=position == last)
        row = _experiment(run, experiment, branch, terminal, now)
        if users:
            row.insert(1, run.user)
        table.append(row)
    return table


def _experiment(
    run: SetStatus,
    experiment: ExperimentStatus,
    branch: str,
    terminal: Terminal,
    now: datetime,
) -> list[str]:
    return [
        f"{branch}{experiment.id}",
        run.project,
        symbols.experiment(experiment, terminal),
        phrases.age(experiment.created or run.created, now),
        f"{branch}Experiment",
        phrases.pairs(experiment.parameters),
        phrases.pairs(experiment.result),
    ]
