"""How far builds are: their step, their time, and the last line of their log."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from riseml import labels, phrases
from riseml.cli import clock, output, terminal
from riseml.cli.follow import detach
from riseml.cli.progress import Block
from riseml.cli.table import clean, shorten
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.status import JobStatus, SetStatus, State

# A long line of pip must not fill a screen.
_LINE_WIDTH = 200
# Each needs its status and its log, and a list is redrawn once a second.
_MAX_BUILDS = 3
_TICK_SECONDS = 1.0
# What a run is until its own jobs start.
_BEFORE_JOBS = (State.CREATED, State.PENDING, State.STARTING, State.BUILDING)


def of_list(
    client: Client, runs: Iterable[SetStatus], screen: Terminal, now: datetime
) -> Iterator[str]:
    """Yield the lines about the builds of listed runs, at most three."""
    building = filter(lambda run: run.state is State.BUILDING, runs)
    for run in islice(building, _MAX_BUILDS):
        yield from of_run(client, client.read(run.id), screen, now)


def of_run(
    client: Client, run: SetStatus, screen: Terminal, now: datetime
) -> Iterator[str]:
    """Yield the lines about the build of a run, none if it is not at work."""
    for job in _unfinished_builds(run):
        yield from _lines(client, run, job, screen, now)


def follow(client: Client, id: str) -> None:
    """Show the build of a run until it has ended, or Ctrl-C.

    The lines are redrawn in place, from the first second on: builds that exist already
    end earlier. Where no line can be redrawn, one says where the log is.
    """
    if not terminal.stdout().interactive:
        output.note(
            "Install steps that are not done yet run first;"
            f" `riseml logs {id}.build` shows them."
        )
        return
    block = Block()
    try:
        _redraw(client, id, block)
    except KeyboardInterrupt:
        detach(id)


def _redraw(client: Client, id: str, block: Block) -> None:
    is_shown = False
    for change in client.changes(id, tick=_TICK_SECONDS):
        if isinstance(change, SetStatus) and change.state not in _BEFORE_JOBS:
            break
        if change is not None:
            continue
        # The changes of a set leave out its jobs.
        run = client.read(id)
        if _builds(run) and not _unfinished_builds(run):
            break
        block.show(_view(client, run))
        is_shown = True
    if is_shown:
        block.show(list(map(_outcome, _builds(client.read(id)))))


def _view(client: Client, run: SetStatus) -> list[str]:
    lines = list(of_run(client, run, terminal.stdout(), clock.now()))
    # Otherwise it waits: for the machine, for a node, or for the same build elsewhere.
    return lines or list(map(_waiting, _unfinished_builds(run)))


def _builds(run: SetStatus) -> list[JobStatus]:
    return list(filter(lambda job: job.type in labels.BUILD_TYPES, run.jobs))


def _unfinished_builds(run: SetStatus) -> list[JobStatus]:
    return list(filter(lambda job: not job.state.is_terminal, _builds(run)))


def _waiting(job: JobStatus) -> str:
    return f"{job.id} is {job.state}; `riseml why {job.id}` explains it."


def _outcome(job: JobStatus) -> str:
    """Return what stays on the screen when a build has ended, or its run."""
    if not job.state.is_terminal:
        return f"{job.id} is being stopped."
    duration = phrases.duration(job.started, job.finished, clock.now())
    sentence = f"{job.id} {job.state} after {duration}"
    if job.state is State.FINISHED:
        return f"{sentence}."
    return f"{sentence}; `riseml why {job.id}` explains it."


def _lines(
    client: Client, run: SetStatus, job: JobStatus, screen: Terminal, now: datetime
) -> Iterator[str]:
    from riseml.client import explain
    from riseml.diagnosis import build_log

    log = explain.last_lines(client.engine, job.id)
    # A search has install steps of its own, which riseml.yml does not contain.
    steps = run.install if job.type == "build" else ()
    step = build_log.current_step(log, steps)
    # Argo may call a job PENDING for ten seconds after it has started.
    progress = "has started"
    if job.state is State.RUNNING:
        duration = phrases.duration(job.started, job.finished, now)
        progress = f"has run for {duration}"
    elif not step:
        return
    yield ""
    lines = [f"{job.id} {progress}; {step}".removesuffix("; ")]
    line = build_log.last_output(log)
    if line:
        lines.append(f"  {screen.bar} {line}")
    lines.append(f"  {screen.arrow} `riseml logs {job.id}` shows the full log.")
    # A line that wraps cannot be redrawn in place.
    width = screen.width or _LINE_WIDTH
    for line in lines:
        yield shorten(clean(line), width - 1, unicode=screen.unicode)
