"""Running jobs that do not use their GPUs: they are marked with the reason IDLE.

The watcher of a job says so in a file of the experiment's output folder while that is so:
`{"idle": <seconds>}`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from riseml import phrases
from riseml.dataclass import replace
from riseml.status import reason_words
from riseml.status.values import ExperimentStatus, JobStatus, SetStatus, State

PREFIX = "idle."
"""What the name of the file in `.riseml` has before `<job>.<attempt>`."""

_NAMED_EXPERIMENTS = 5
_TEXT = re.compile(r'\{"idle": (\d{1,9})\}\s*')


def read(text: str) -> int | None:
    """Return for how many seconds a job has been idle, None for an incomplete file."""
    match = _TEXT.fullmatch(text)
    return int(match[1]) if match else None


def may_be_idle(experiment: ExperimentStatus) -> bool:
    """Return whether files may say that jobs of an experiment are idle."""
    return any(map(_may_be_idle, experiment.jobs))


def with_marks(
    experiment: ExperimentStatus, seconds: Mapping[str, int]
) -> ExperimentStatus:
    """Return an experiment whose idle jobs are marked; `seconds` has them by `<job>.<attempt>`."""
    if not seconds:
        return experiment
    jobs = []
    for job in experiment.jobs:
        name = job.id.removeprefix(f"{experiment.id}.")
        idle = seconds.get(f"{name}.{job.attempt}")
        jobs.append(_marked(job, idle) if idle and _may_be_idle(job) else job)
    for job in jobs:
        # A job that is held says more about its experiment.
        if job.reason == reason_words.IDLE and not experiment.reason:
            return replace(
                experiment, reason=job.reason, message=job.message, jobs=tuple(jobs)
            )
    return replace(experiment, jobs=tuple(jobs))


def with_mark(run: SetStatus, experiments: Sequence[ExperimentStatus]) -> SetStatus:
    """Return a running run with the reason IDLE if an experiment of it has that."""
    idle = [part for part in experiments if part.reason == reason_words.IDLE]
    if not idle or run.reason or run.state is not State.RUNNING:
        return run
    message = idle[0].message
    if run.is_set:
        ids = ", ".join(part.id for part in idle[:_NAMED_EXPERIMENTS])
        more = ", …" if len(idle) > _NAMED_EXPERIMENTS else ""
        message = f"{phrases.plural(len(idle), 'experiment')} without use of GPUs: {ids}{more}"
    return replace(run, reason=reason_words.IDLE, message=message)


def _may_be_idle(job: JobStatus) -> bool:
    has_gpus = job.resources is not None and job.resources.gpus > 0
    return has_gpus and job.state is State.RUNNING and not job.reason


def _marked(job: JobStatus, idle: int) -> JobStatus:
    length = phrases.rough(timedelta(seconds=idle))
    return replace(
        job,
        reason=reason_words.IDLE,
        message=f"its GPUs have been idle for {length}",
    )
