"""`riseml status`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from riseml import ids
from riseml.cli import clock, listing, options, output, terminal
from riseml.client.client import Client
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.status import TERMINAL, ExperimentStatus, JobStatus, SetStatus, State
from riseml.status.select import pick

_SEVERAL = 2
# Lines
_LAST_WORDS = 10
# Seconds between two looks at ages and durations
_TICK = 1.0


def command(
    id: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", show_default=False, help="A run, experiment, job, or .USER."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("-a", "--all", help="Ended ones, too.")
    ] = False,
    last: Annotated[
        int,
        typer.Option(
            "-n",
            "--num-last",
            metavar="N",
            min=0,
            help="With -a: the newest N, 0 for all.",
        ),
    ] = 10,
    long: Annotated[
        bool,
        typer.Option("-l", "--long", help="Parameters, results, experiments of sets."),
    ] = False,
    everyone: Annotated[
        bool, typer.Option("-u", "--all-users", help="Of all users.")
    ] = False,
    watch: Annotated[
        bool,
        typer.Option("-w", "--watch", help="Go on showing it; Ctrl-C ends the view."),
    ] = False,
    states: Annotated[
        list[str] | None,
        typer.Option(
            "--state", metavar="STATE", help="Only this state; may be repeated."
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(
            "--project", metavar="NAME", show_default=False, help="Only this project."
        ),
    ] = None,
    form: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """List runs, or show one run, experiment or job in detail.

    Examples:
      riseml status -a -n 20 -l     the newest 20 with parameters and results
      riseml status 14 -w           one run, redrawn as it goes
      riseml status -a --state FAILED -o json
    """
    wanted = ids.parse(id) if id is not None else None
    shape = _Shape(form, long or form == "wide", everyone, not no_headers)
    if wanted is not None and wanted.kind != "user":
        _one(Client(), wanted, shape, watch=watch)
        return
    chosen = frozenset(map(_state, states or ()))
    ended = everything or bool(chosen & TERMINAL)
    query = _Listing(
        Client(),
        ended,
        last,
        wanted.user if wanted else None,
        everyone,
        project,
        shape.long,
        chosen,
    )
    _list(query, shape, watch=watch)


@dataclass(frozen=True)
class _Shape:
    """How to print: `-o`, with parameters and results, with users, with titles."""

    form: str
    long: bool
    users: bool
    headers: bool


@dataclass(frozen=True)
class _Listing:
    """Which runs to list, asked for again and again by `-w`."""

    client: Client
    all: bool
    last: int
    user: str | None
    everyone: bool
    project: str | None
    experiments: bool
    states: frozenset[State]

    def look(self) -> list[SetStatus]:
        runs = self.client.runs(
            all=self.all,
            last=self.last if self.all and not self.states else 0,
            user=self.user,
            everyone=self.everyone,
            project=self.project,
            experiments=self.experiments,
        )
        if self.states:
            runs = [run for run in runs if run.state in self.states]
        return runs[: self.last or None] if self.all else runs

    def again(self) -> Iterator[list[SetStatus]]:
        while True:
            yield self.look()
            time.sleep(_TICK)


def _list(query: _Listing, shape: _Shape, *, watch: bool) -> None:
    def lines(runs: list[SetStatus]) -> list[str]:
        return listing.lines(
            runs,
            terminal.stdout(),
            clock.now(),
            long=shape.long,
            users=shape.users,
            headers=shape.headers,
        )

    if watch and shape.form in {"table", "wide"}:
        from riseml.cli import live

        live.watch(
            query.again(), lines, lambda runs: [f"{run.id} {run.state}" for run in runs]
        )
        return
    runs = query.look()
    if shape.form not in {"table", "wide"}:
        _data(shape, [(run, run) for run in runs], listed=True)
    elif runs:
        output.lines(lines(runs))
    else:
        output.note(
            "No experiments."
            if query.all
            else "Nothing is running. `riseml status -a` shows what has ended."
        )


def _one(client: Client, wanted: Id, shape: _Shape, *, watch: bool) -> None:
    from riseml.cli import detail

    def lines(run: SetStatus) -> list[str]:
        return detail.lines(
            run,
            pick(run, wanted),
            terminal.stdout(),
            clock.now(),
            wide=shape.long,
            headers=shape.headers,
        )

    if watch and shape.form in {"table", "wide"}:
        from riseml.cli import live

        live.watch(
            _changing(client, wanted),
            lines,
            lambda run: list(_states(run, pick(run, wanted))),
        )
        return
    run = client.read(wanted)
    if shape.form in {"table", "wide"}:
        output.lines([*lines(run), *_last_words(client, pick(run, wanted))])
    else:
        _data(shape, [(run, pick(run, wanted))], listed=False)


def _last_words(
    client: Client, part: SetStatus | ExperimentStatus | JobStatus
) -> Iterator[str]:
    """Yield what the job wrote last that has failed an experiment of several jobs: its end explains all others'."""
    one = (
        part.experiments[0]
        if isinstance(part, SetStatus) and not part.is_set and part.experiments
        else part
    )
    if (
        not isinstance(one, ExperimentStatus)
        or not one.guilty
        or len(one.jobs) < _SEVERAL
    ):
        return
    from riseml.cli.table import clean
    from riseml.engines import Chunk

    events = client.logs(one.guilty, follow=False, tail=_LAST_WORDS)
    text = b"".join(event.data for event in events if isinstance(event, Chunk)).decode(
        errors="replace"
    )
    if text:
        yield from (
            "",
            f"Last lines of {one.guilty}:",
            *(f"  {clean(line)}" for line in text.splitlines()),
        )


def _changing(client: Client, wanted: Id) -> Iterator[SetStatus | None]:
    """Yield the whole run whenever a part of it changes, None once a second."""
    for change in client.changes(wanted, tick=_TICK):
        if change is None or isinstance(change, SetStatus):
            yield change
        else:
            yield client.read(wanted)


def _states(
    run: SetStatus, part: SetStatus | ExperimentStatus | JobStatus
) -> Iterator[str]:
    """Yield `ID STATE` of everything shown."""
    yield f"{part.id} {part.state}"
    if isinstance(part, SetStatus) and part.is_set:
        yield from (f"{each.id} {each.state}" for each in part.experiments)
    elif not isinstance(part, JobStatus):
        one = (
            part.experiments[0]
            if isinstance(part, SetStatus) and part.experiments
            else part
        )
        yield from (f"{job.id} {job.state}" for job in (*run.jobs, *one.jobs))


def _data(
    shape: _Shape,
    parts: list[tuple[SetStatus, SetStatus | ExperimentStatus | JobStatus]],
    *,
    listed: bool,
) -> None:
    from riseml.cli import records

    if shape.form == "name":
        output.lines(part.id for _, part in parts)
    elif shape.form == "csv":
        titles = [
            *records.TITLES,
            *(("parameters", "result") if shape.long or not listed else ()),
        ]
        rows = [
            row
            for run, part in parts
            for row in records.flat(run, part, long=shape.long or not listed)
        ]
        output.csv(titles, rows)
    else:
        plain = [records.record(part, listed=listed) for _, part in parts]
        output.data(plain if listed else plain[0], shape.form)


def _state(word: str) -> State:
    try:
        return State(word.upper())
    except ValueError:
        from riseml.cli.failure import did_you_mean

        advice = f"{did_you_mean(word.upper(), State)}States are {', '.join(State)}."
        raise InvalidInputError(f"there is no state '{word}'", advice) from None
