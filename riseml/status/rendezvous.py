"""Gangs before their rendezvous: none of their commands runs until all jobs have started.

17.master    RUNNING  ─┐ for Argo: their pods run, and gang.sh waits in them
17.worker    RUNNING  ─┘ here: STARTING, reason GANG
17.ps        PENDING  QUOTA    so is the experiment
"""

from collections.abc import Sequence

from riseml.dataclass import replace
from riseml.status import reason_words
from riseml.status.values import ExperimentStatus, JobStatus, State

# A job that ends, or is kept, has met the others before. One that is retried alone is not of a gang.
_MET = frozenset({reason_words.STOPPING, reason_words.HELD, reason_words.RETRY})
_TENSORBOARD = "tensorboard"


def is_awaited(jobs: Sequence[JobStatus]) -> bool:
    """Return whether some jobs of an experiment have started and wait for the others."""
    if any(map(_needs_none, jobs)):
        return False
    states = [job.state for job in jobs]
    return 0 < states.count(State.RUNNING) < len(states)


def _needs_none(job: JobStatus) -> bool:
    """Return whether a job waits for no others, or has met them."""
    has_met = job.state.is_terminal or job.reason in _MET
    return has_met or job.type == _TENSORBOARD


def awaited(blank: ExperimentStatus, jobs: Sequence[JobStatus]) -> ExperimentStatus:
    """Return an experiment that waits for those of its jobs that have not started."""
    missing = [job for job in jobs if job.state is not State.RUNNING]
    # The job that is furthest from its start decides, and among these one with a reason.
    decisive = min(missing, key=_distance_from_start)
    state = State.PENDING
    if decisive.state is State.STARTING:
        state = State.STARTING
    ids = ", ".join(job.id for job in missing)
    message = f"waits for {ids}"
    members = tuple(_member(job, message) for job in jobs)
    waiting = replace(blank, state=state, jobs=members)
    if not decisive.reason:
        return replace(waiting, reason=reason_words.GANG, message=message)
    message = f"{decisive.id}: {decisive.message}".removesuffix(": ")
    return replace(waiting, reason=decisive.reason, message=message)


def _member(job: JobStatus, message: str) -> JobStatus:
    """Return a job as it is before the rendezvous."""
    if job.state is not State.RUNNING:
        return job
    return replace(
        job,
        state=State.STARTING,
        reason=reason_words.GANG,
        message=message,
        started=None,
    )


def _distance_from_start(job: JobStatus) -> tuple[bool, bool]:
    return job.state is State.STARTING, not job.reason
