"""Hours of the GPUs and cores that the jobs of a run have had, from its record.

All attempts of all jobs count, those of the run itself (build, search, TensorBoard) too,
while they ran: not while they waited. A job counts as having all that it requested.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from riseml.plan import Resources
from riseml.status import JobStatus, SetStatus

_HOUR_SECONDS = 3600
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_NOTHING = Resources(cpus=Decimal(0), mem=0, gpus=0)


class Hours(NamedTuple):
    """Hours of GPUs, where a share of a GPU counts as that share, and of cores."""

    gpus: float
    cpus: float


class Window(NamedTuple):
    """The time that counts, by default from the beginning."""

    until: datetime
    since: datetime = _BEGINNING


def of_run(run: SetStatus, window: Window) -> Hours:
    """Return the hours that the jobs of a run have had within a window."""
    total = _Total(window)
    # An attempt without an end of its own has ended with its run, or is running now.
    run_end = run.finished or window.until
    total.add(run.jobs, run_end)
    for experiment in run.experiments:
        total.add(experiment.jobs, experiment.finished or run_end)
    return Hours(total.gpu_seconds / _HOUR_SECONDS, total.cpu_seconds / _HOUR_SECONDS)


class _Total:
    """Seconds of GPUs and cores that were added up so far."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.gpu_seconds = 0.0
        self.cpu_seconds = 0.0

    def add(self, jobs: Iterable[JobStatus], end: datetime) -> None:
        """Add all attempts of jobs; those without an end of their own ended at `end`."""
        for job in jobs:
            for attempt in job.attempts:
                self._add_attempt(attempt, end)

    def _add_attempt(self, attempt: JobStatus, end: datetime) -> None:
        seconds = _seconds(attempt, end, self._window)
        resources = attempt.resources or _NOTHING
        self.gpu_seconds += seconds * float(resources.gpus)
        self.cpu_seconds += seconds * float(resources.cpus)


def _seconds(attempt: JobStatus, end: datetime, window: Window) -> float:
    """Return how long an attempt ran within a window."""
    if attempt.started is None or not _has_run(attempt):
        return 0.0
    begin = max(attempt.started, window.since)
    end = min(attempt.finished or end, window.until)
    # Clocks may differ.
    return max(0.0, (end - begin).total_seconds())


def _has_run(attempt: JobStatus) -> bool:
    """Return whether the times of an attempt are those of a container or process."""
    # An attempt that failed while another one is due does not say any more when it ended.
    if attempt.reason == "RETRY":
        return False
    # One that was killed before it began has no exit code, and the time of its node.
    is_unexplained = attempt.state.is_terminal and attempt.exit_code is None
    return not is_unexplained or attempt.started != attempt.created
