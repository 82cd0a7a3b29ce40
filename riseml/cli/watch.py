"""`riseml status -w`: one run, or the list of runs, as long as something changes."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress

from riseml import phrases
from riseml.cli import (
    build_progress,
    clock,
    detail,
    listing,
    live,
    output,
    set_screen,
    statuses,
    terminal,
)
from riseml.cli.statuses import AnyStatus, single_experiment
from riseml.client.client import Client
from riseml.client.views import open_view
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, reason_words
from riseml.status.estimate import share
from riseml.status.select import pick

# Elsewhere than on a terminal, so many lines tell the progress of an experiment.
_PROGRESS_LINES = 10
_BUILD_SECONDS = 2.0
_IDLE = "Nothing is running."
_IDLE_ADVICE = "A run that starts appears here; Ctrl-C ends this view."


class _Builds:
    """Lines about builds. Each needs the log of a job, so they are not made at every redraw."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._due = 0.0

    def lines(self, make: Callable[[], Iterable[str]]) -> list[str]:
        """Return the lines that `make` returns, or returned a moment ago."""
        if time.monotonic() >= self._due:
            self._lines = list(make())
            self._due = time.monotonic() + _BUILD_SECONDS
        return self._lines


def one(client: Client, id: Id, *, wide: bool, headers: bool) -> None:
    """Show a run, experiment or job until it has ended."""
    builds = _Builds()

    def lines(run: SetStatus) -> Sequence[str]:
        screen, now = terminal.stdout(), clock.now()
        status = pick(run, id)
        building = builds.lines(lambda: build_progress.of_run(client, run, screen, now))
        if isinstance(status, SetStatus) and status.is_set:
            room = live.room()
            return set_screen.lines(
                run, screen, now, room=room, extra=building, headers=headers
            )
        described = detail.lines(run, status, screen, now, wide=wide, headers=headers)
        return [*described, *building]

    def has_ended(run: SetStatus) -> bool:
        return pick(run, id).state.is_terminal

    farewell = (
        f"\n{id} continues in the background: `riseml status {id} -w` shows it again, "
        f"`riseml kill {id}` stops it."
    )
    with closing(open_view(client.engine, id)) as view:
        live.watch(
            view.read,
            lines,
            lambda run: _changes(run, pick(run, id)),
            has_ended,
            farewell=farewell,
        )


def _changes(run: SetStatus, status: AnyStatus) -> dict[str, str]:
    """Return a line about each part of a status, by its id."""
    below: list[ExperimentStatus | JobStatus] = []
    experiment = single_experiment(status)
    if isinstance(status, SetStatus) and status.is_set:
        below += [*run.jobs, *status.experiments]
    elif experiment is not None:
        below += [*run.jobs, *experiment.jobs]
    elif isinstance(status, SetStatus):
        below += run.jobs
    changes = {status.id: _line(status, experiment)}
    for item in below:
        changes[item.id] = _line(item, single_experiment(item))
    return changes


def _line(status: AnyStatus, experiment: ExperimentStatus | None) -> str:
    if experiment is None:
        return f"{status.id} {status.state}"
    words = [status.id, reason_words.EARLY if experiment.is_early else experiment.state]
    done = share(experiment.progress)
    if experiment.state is State.RUNNING and done is not None:
        tenth = int(done * _PROGRESS_LINES) / _PROGRESS_LINES
        words.append(f"{tenth:.0%}")
    if experiment.state.is_terminal:
        words.append(phrases.pairs(experiment.result))
    return " ".join(filter(None, words))


class RunList:
    """Runs that `query` selects, and those that have ended since the view began."""

    def __init__(
        self, client: Client, query: Callable[[], Sequence[SetStatus]]
    ) -> None:
        self._client, self._query = client, query
        self._active: dict[str, SetStatus] = {}
        self._ended: dict[str, SetStatus] = {}
        self._newest: SetStatus | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is running."""
        return not self._active

    def read(self) -> list[SetStatus]:
        """Return the runs as they are now; if there is none, the newest one that has ended."""
        selected = self._query()
        for run_id in self._active.keys() - {run.id for run in selected}:
            self._end(run_id)
        self._active = {run.id: run for run in selected if not run.state.is_terminal}
        listed = {run.id: run for run in selected} | self._ended
        if not listed:
            return self._read_newest()
        return list(listed.values())

    def _end(self, run_id: str) -> None:
        # It may have been deleted.
        with suppress(NotFoundError):
            run = self._client.read(run_id)
            if run.state.is_terminal:
                self._ended[run_id] = run

    def _read_newest(self) -> list[SetStatus]:
        if self._newest is None:
            with suppress(NotFoundError):
                self._newest = self._client.read()
        return [self._newest] if self._newest else []


def many(
    client: Client,
    query: Callable[[], Sequence[SetStatus]],
    *,
    long: bool,
    users: bool,
    headers: bool,
) -> None:
    """Show runs: on a terminal until Ctrl-C, elsewhere until nothing is running."""
    runs, builds = RunList(client, query), _Builds()

    def lines(listed: Sequence[SetStatus]) -> Sequence[str]:
        screen, now = terminal.stdout(), clock.now()
        table = listing.lines(
            listed,
            screen,
            now,
            long=long,
            users=users,
            headers=headers,
            progress=True,
        )
        if runs.is_idle:
            return [_IDLE, _IDLE_ADVICE, "", *(table if listed else ())]
        building = builds.lines(
            lambda: build_progress.of_list(client, listed, screen, now)
        )
        return [*table, *statuses.marked(listed), *building]

    def changes(listed: Sequence[SetStatus]) -> dict[str, str]:
        return {run.id: _line(run, single_experiment(run)) for run in listed}

    def is_last(_listed: Sequence[SetStatus]) -> bool:
        return runs.is_idle and not terminal.stdout().interactive

    farewell = "\n`riseml status -w` shows this again; runs continue in the background."
    live.watch(runs.read, lines, changes, is_last, farewell=farewell)
    if is_last(()):
        output.note(_IDLE)
