"""Following a run on the terminal: what `train -l` and `logs` share."""

import re
import sys
from collections.abc import Iterable, Iterator

from riseml.cli import output, terminal
from riseml.cli.stream import Stream
from riseml.client.client import Client
from riseml.engines import Change, Chunk
from riseml.status import ExperimentStatus, JobStatus, SetStatus


def show(
    events: Iterable[Chunk | Change],
    names: Iterable[str] = (),
    *,
    only: str | None = None,
    grep: re.Pattern[bytes] | None = None,
) -> None:
    """Print chunks and changes as they come; with `only` this job's, as it wrote them."""
    sys.stdout.flush()
    stream = Stream(
        sys.stdout.buffer, terminal.output(), names, prefixed=only is None, grep=grep
    )
    try:
        for event in events:
            if isinstance(event, Chunk):
                stream.chunk(event)
            elif only in {None, event.id}:
                stream.change(event)
    finally:
        stream.close()


def to_its_end(client: Client, name: str) -> int:
    """Show the log of a run that was just started, and its outcome; return the exit status that says the same."""
    from riseml.cli import outcome

    try:
        show(client.logs(name), job_names(client.read(name)))
        status = client.read(name)
    except KeyboardInterrupt:
        detach(name)
        return 0
    output.note(outcome.describe(status))
    return outcome.exit_status([status])


def detach(name: str) -> None:
    """Say that the run goes on without us, and how to come back."""
    output.note(
        f"\nExperiment {name} continues in background: `riseml logs {name}` shows its log again, "
        f"`riseml kill {name}` stops it."
    )


def job_names(status: SetStatus | ExperimentStatus | JobStatus) -> Iterator[str]:
    """Yield the ids of everything below that may write lines."""
    yield status.id
    if isinstance(status, JobStatus):
        return
    yield from (job.id for job in status.jobs)
    if isinstance(status, SetStatus):
        for experiment in status.experiments:
            yield from job_names(experiment)
