"""Command `riseml status`."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated

from riseml import ids
from riseml.cli import clock, listing, options, output, statuses, terminal
from riseml.cli.parameters import Argument, Option
from riseml.cli.statuses import AnyStatus, single_experiment
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.dataclass import dataclass, replace
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.status import TERMINAL, SetStatus, State
from riseml.status.select import pick

AnyId = Annotated[
    str | None,
    Argument(
        metavar="ID", show_default=False, help="A run, experiment, job, or .USER."
    ),
]
AllStates = Annotated[bool, Option("-a", "--all", help="Also runs that have ended.")]
Last = Annotated[
    int,
    Option(
        "-n",
        "--num-last",
        metavar="N",
        min=0,
        help="With -a: only the newest N; 0 for all.",
    ),
]
Long = Annotated[
    bool,
    Option("-l", "--long", help="Also parameters, results and experiments of sets."),
]
AllUsers = Annotated[bool, Option("-u", "--all-users", help="Runs of all users.")]
Watch = Annotated[bool, Option("-w", "--watch", help="Keep updating until Ctrl-C.")]
States = Annotated[
    list[str] | None,
    Option(
        "--state",
        metavar="STATE",
        help="Only runs in this state; can be repeated.",
    ),
]
Project = Annotated[
    str | None,
    Option(
        "--project",
        metavar="NAME",
        show_default=False,
        help="Only runs of this project.",
    ),
]


_LAST_LINES = 10


def command(
    id: AnyId = None,
    all_states: AllStates = False,
    last: Last = 10,
    long: Long = False,
    all_users: AllUsers = False,
    watch: Watch = False,
    states: States = None,
    project: Project = None,
    tags: options.Tags = None,
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """List runs, or show one run, experiment or job in detail.

    Examples:
      riseml status -a -n 20 -l     the newest 20 with parameters and results
      riseml status 14 -w           one run, redrawn when it changes
      riseml status -a --state FAILED -o json
      riseml status -a --tag paper
    """
    client = Client()
    # An empty id stands for the user, as `.USER` does for another one.
    parsed_id = (client.named(id) or ids.parse(id)) if id is not None else Id()
    # `wide` of other commands adds columns, as `-l` does here.
    style = _Style(
        output_format, long or output_format == "wide", all_users, not no_headers
    )
    if parsed_id.kind != "user":
        _show_one(client, parsed_id, style, watch=watch)
        return
    selected_states = frozenset(_parse_state(word) for word in states or ())
    query = _RunQuery(
        client,
        # `--state FAILED` alone would never list a run.
        all=all_states or bool(selected_states & TERMINAL),
        last=last,
        user=parsed_id.user,
        all_users=all_users,
        project=project,
        experiments=style.long,
        states=selected_states,
        tags=tuple(tags or ()),
    )
    _show_list(query, style, watch=watch)


@dataclass(frozen=True)
class _Style:
    """How to print: the format, with results, with users, with column titles."""

    output_format: str
    long: bool
    users: bool
    headers: bool

    @property
    def is_for_people(self) -> bool:
        return self.output_format in {"table", "wide"}


@dataclass(frozen=True)
class _RunQuery:
    """Selection of runs, which `-w` repeats."""

    client: Client
    all: bool
    last: int
    user: str | None
    all_users: bool
    project: str | None
    experiments: bool
    states: frozenset[State]
    tags: tuple[str, ...]

    def read(self) -> list[SetStatus]:
        """Return the runs, at most as many as `-n` says."""
        selected = self.read_one_more()
        return selected[: self.limit or None]

    def read_one_more(self) -> list[SetStatus]:
        """Return the runs, and the newest of those that `-n` leaves out."""
        last = self.limit + 1 if self.limit else 0
        runs = self.client.runs(
            all=self.all,
            # The newest N in a state may be older than the newest N, so they are
            # selected here.
            last=0 if self.states else last,
            user=self.user,
            everyone=self.all_users,
            project=self.project,
            experiments=self.experiments,
            tags=self.tags,
        )
        return list(filter(self._has_state, runs))[: last or None]

    @property
    def limit(self) -> int:
        """How many runs to show, 0 for all."""
        # `-n` is for `-a`: active runs are always all listed.
        return self.last if self.all else 0

    def _has_state(self, run: SetStatus) -> bool:
        return not self.states or run.state in self.states


def _show_list(query: _RunQuery, style: _Style, *, watch: bool) -> None:
    def lines(runs: list[SetStatus]) -> list[str]:
        screen, now = terminal.stdout(), clock.now()
        listed = listing.lines(
            runs,
            screen,
            now,
            long=style.long,
            users=style.users,
            headers=style.headers,
        )
        listed += statuses.marked(runs)
        return [*listed, *_building(query.client, runs, screen, now)]

    # For programs, `-w` has no meaning: they get one document.
    if watch and style.is_for_people:
        from riseml.cli import watch as watched

        # Progress belongs to experiments.
        detailed = replace(query, experiments=True)
        watched.many(
            query.client,
            detailed.read,
            long=style.long,
            users=style.users,
            headers=style.headers,
        )
        return
    if not style.is_for_people:
        _write_data(style, [(run, run) for run in query.read()], listed=True)
        return
    runs = query.read_one_more()
    shown = runs[: query.limit or None]
    if shown:
        output.lines(lines(shown))
        if len(runs) > len(shown):
            output.note("There are older runs; `-n 0` lists all.")
    elif query.all:
        output.note("No experiments.")
    else:
        output.note("Nothing is running. `riseml status -a` shows what has ended.")


def _building(
    client: Client, runs: list[SetStatus], screen: Terminal, now: datetime
) -> Iterable[str]:
    # Few lists contain a build, so the others do without the modules for it.
    if not any(run.state is State.BUILDING for run in runs):
        return ()
    from riseml.cli import build_progress

    return build_progress.of_list(client, runs, screen, now)


def _own_builds(
    client: Client, run: SetStatus, screen: Terminal, now: datetime
) -> Iterable[str]:
    if all(job.state.is_terminal for job in run.jobs):
        return ()
    from riseml.cli import build_progress

    return build_progress.of_run(client, run, screen, now)


def _show_one(client: Client, id: Id, style: _Style, *, watch: bool) -> None:
    # The list of runs needs neither this module nor `live`.
    from riseml.cli import detail

    def lines(run: SetStatus) -> list[str]:
        screen, now = terminal.stdout(), clock.now()
        described = detail.lines(
            run,
            pick(run, id),
            screen,
            now,
            wide=style.long,
            headers=style.headers,
        )
        return [*described, *_own_builds(client, run, screen, now)]

    if watch and style.is_for_people:
        from riseml.cli import watch as watched

        watched.one(client, id, wide=style.long, headers=style.headers)
        return
    run = _read(client, id, style)
    if style.is_for_people:
        output.lines([*lines(run), *_last_lines(client, pick(run, id))])
        if run.has_tensorboard:
            output.lines(_missing_tensorboard(client, run))
    else:
        _write_data(style, [(run, pick(run, id))], listed=False)


def _read(client: Client, id: Id, style: _Style) -> SetStatus:
    # The table of a set says nothing about jobs, unless it has all columns.
    if id.sub is None and (style.long or style.output_format != "table"):
        return client.read(id)
    from riseml.client import views

    return views.read_brief(client.engine, id)


def _last_lines(client: Client, status: AnyStatus) -> Iterator[str]:
    """Yield the last lines of the job that failed an experiment of several jobs.

    The others were stopped because of it, so only its log explains the failure.
    """
    experiment = single_experiment(status)
    if experiment is None or not experiment.guilty or len(experiment.jobs) <= 1:
        return
    from riseml.cli.table import clean
    from riseml.client import explain

    log = explain.last_lines(client.engine, experiment.guilty)[-_LAST_LINES:]
    if log:
        yield ""
        yield f"Last lines of {experiment.guilty}:"
    for line in log:
        yield f"  {clean(line)}"


def _missing_tensorboard(client: Client, run: SetStatus) -> list[str]:
    """Return a line if the TensorBoard of an active run is not installed."""
    from riseml.client import explain, tensorboard_program

    job = f"{run.id}.tensorboard"
    states = {job.id: job.state for job in run.jobs}
    if states[job] is not State.RUNNING:
        return []
    log = explain.last_lines(client.engine, job)
    if not tensorboard_program.is_missing(log):
        return []
    return ["", tensorboard_program.MISSING.format(run=run.id)]


def _write_data(
    style: _Style, statuses: list[tuple[SetStatus, AnyStatus]], *, listed: bool
) -> None:
    """Print statuses, each with its run, in a format for programs."""
    from riseml.cli import formats, records

    long = style.long or not listed
    names, plain, rows = [], [], list[list[str]]()
    for run, status in statuses:
        names.append(status.id)
        plain.append(records.record(status, listed=listed))
        rows += records.csv_rows(run, status, long=long)
    titles = records.csv_titles(long=long)
    data = formats.Data(plain if listed else plain[0], names, titles, rows)
    formats.write_data(data, style.output_format, headers=style.headers)


def _parse_state(word: str) -> State:
    try:
        return State(word.upper())
    except ValueError:
        from riseml.cli.failure import did_you_mean

        advice = f"{did_you_mean(word.upper(), State)}States are {', '.join(State)}."
        raise InvalidInputError(f"there is no state '{word}'", advice) from None
