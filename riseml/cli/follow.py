"""Log of a run on the terminal, for `train -l`, `build` and `logs`."""

import re
import sys
from collections.abc import Iterable, Iterator

from riseml.cli import output, reader_exit, terminal
from riseml.cli.stream import Stream
from riseml.client.client import Client
from riseml.engines import Change, Chunk
from riseml.status import ExperimentStatus, JobStatus, SetStatus

# A part of a log with all its prefixes is seldom larger.
_LARGEST_BLOCK_BYTES = 8 << 20


def show(
    events: Iterable[Chunk | Change],
    names: Iterable[str] = (),
    *,
    only: str | None = None,
    grep: re.Pattern[bytes] | None = None,
    timed: bool = False,
) -> None:
    """Print chunks and changes as they arrive, with `timed` after their times.

    `names` are the ids of the expected jobs, for the width of the prefixes. With `only`,
    the id of a job, its lines have no prefix and changes of others are left out.
    """
    _keep_freed_memory()
    # The stream writes below the text layer, whose lines come first.
    sys.stdout.flush()
    stream = Stream(
        sys.stdout.buffer,
        terminal.stdout(),
        names,
        prefixed=only is None,
        timed=timed,
        grep=grep,
    )
    try:
        with reader_exit.watched():
            for event in events:
                if isinstance(event, Chunk):
                    stream.chunk(event)
                elif only in {None, event.id}:
                    stream.change(event)
    finally:
        # After Ctrl-C, the unfinished line of a job is still output.
        stream.close()


def _keep_freed_memory() -> None:
    """Let the C library reuse large blocks, instead of returning them to the kernel.

    It does so once a larger block has been freed. Otherwise the kernel clears new pages
    for each part of a log, and 100 MB take 0.25 s instead of 0.03 s.
    """
    bytes(_LARGEST_BLOCK_BYTES)


def until_end(client: Client, name: str) -> int:
    """Print the log of a run, then its outcome; return the exit status of the outcome.

    Ctrl-C ends the view but not the run; the exit status is 0 then.
    """
    from riseml.cli import outcome

    try:
        show(client.logs(name), job_names(client.read(name)))
        status = client.read(name)
    except KeyboardInterrupt:
        # The run has no outcome yet, and to leave the view is not an error.
        detach(name)
        return 0
    output.note(outcome.describe(status))
    return outcome.exit_status([status])


def detach(name: str) -> None:
    """Print that the run continues, and how to see it again or stop it."""
    output.note(
        f"\nExperiment {name} continues in the background: "
        f"`riseml logs {name}` shows its log again, `riseml kill {name}` stops it."
    )


def job_names(status: SetStatus | ExperimentStatus | JobStatus) -> Iterator[str]:
    """Yield the ids of a run, experiment or job and of everything below it."""
    yield status.id
    if not isinstance(status, JobStatus):
        yield from (job.id for job in status.jobs)
    if isinstance(status, SetStatus):
        for experiment in status.experiments:
            yield from job_names(experiment)


def jobs(status: SetStatus | ExperimentStatus | JobStatus) -> Iterator[str]:
    """Yield the ids of the jobs of a run or experiment, or of a job itself."""
    if isinstance(status, JobStatus):
        yield status.id
        return
    yield from (job.id for job in status.jobs)
    if isinstance(status, SetStatus):
        for experiment in status.experiments:
            yield from jobs(experiment)
