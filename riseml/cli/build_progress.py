"""How far builds are: their step, their time, and the last line of their log."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from riseml.cli import text
from riseml.cli.table import clean
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.status import JobStatus, SetStatus, State

# A long line of pip must not fill a screen.
_LINE_WIDTH = 200
# Each needs its status and its log, and a list is redrawn once a second.
_MAX_BUILDS = 3


def of_list(
    client: Client, runs: Iterable[SetStatus], screen: Terminal, now: datetime
) -> Iterator[str]:
    """Yield the lines about the builds of listed runs, at most three."""
    building = [run for run in runs if run.state is State.BUILDING]
    for run in building[:_MAX_BUILDS]:
        yield from of_run(client, client.read(run.id), screen, now)


def of_run(
    client: Client, run: SetStatus, screen: Terminal, now: datetime
) -> Iterator[str]:
    """Yield the lines about the build of a run, none if it is not at work."""
    for job in run.jobs:
        if job.type == "build" and job.state is State.RUNNING:
            yield from _lines(client, run, job, screen, now)


def _lines(
    client: Client, run: SetStatus, job: JobStatus, screen: Terminal, now: datetime
) -> Iterator[str]:
    from riseml.client import explain
    from riseml.diagnosis import build_log

    log = explain.last_lines(client.engine, job.id)
    step = build_log.current_step(log, run.install)
    duration = text.duration(job.started, job.finished, now)
    yield ""
    yield clean(f"{job.id} has run for {duration}; {step}".removesuffix("; "))
    written = [line for line in log if line.strip()]
    for line in written[-1:]:
        yield f"  {screen.bar} {clean(line[:_LINE_WIDTH])}"
    yield f"  {screen.arrow} `riseml logs {job.id}` shows the full log."
