"""Attempts of jobs, counted over all Workflows of a set in which they ran."""

from collections.abc import Sequence

from riseml.dataclass import replace
from riseml.status.values import ExperimentStatus, JobStatus


def numbered_from(count: int, jobs: Sequence[JobStatus]) -> tuple[JobStatus, ...]:
    """Return jobs whose attempts are counted from `count` instead of 0."""
    if not count:
        return tuple(jobs)
    numbered = []
    for job in jobs:
        counted = replace(
            job,
            attempt=job.attempt + count,
            earlier=numbered_from(count, job.earlier),
            max_attempts=job.max_attempts + count,
        )
        numbered.append(counted)
    return tuple(numbered)


def count(experiment: ExperimentStatus) -> int:
    """Return the number of attempts that an experiment has had.

    One that never got a node has left no log, so it does not count.
    """
    most = 0
    for job in experiment.jobs:
        has_begun = bool(job.node_id)
        most = max(most, job.attempt + has_begun)
    return most


def following(
    earlier: ExperimentStatus, later: ExperimentStatus
) -> tuple[JobStatus, ...]:
    """Return the jobs of a repeated experiment, with the attempts of earlier Workflows."""
    attempts = {}
    for job in earlier.jobs:
        has_begun = bool(job.node_id)
        attempts[job.id] = job.attempts if has_begun else job.earlier
    jobs = []
    for job in later.jobs:
        before_it = [
            replace(attempt, max_attempts=job.max_attempts)
            for attempt in attempts.get(job.id, ())
        ]
        jobs.append(replace(job, earlier=(*before_it, *job.earlier)))
    return tuple(jobs)
