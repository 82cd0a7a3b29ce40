"""Verdict on an experiment, from the states of its jobs."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from riseml.dataclass import dataclass, replace
from riseml.plan import Resources
from riseml.status import document as doc
from riseml.status import reason_words, reasons, rendezvous
from riseml.status.document import Node
from riseml.status.jobs import FINAL, TaskNodes, read_job
from riseml.status.outline import Outline, PlannedJob
from riseml.status.values import (
    ExperimentStatus,
    JobStatus,
    State,
    count,
    set_state,
)

_LATEST = datetime.max.replace(tzinfo=UTC)
# The state and reason of a daemon that ended with its experiment, by the outcome of that.
_DAEMON_ENDS = {
    State.FINISHED: (State.FINISHED, "STOPPED"),
    State.FAILED: (State.KILLED, "PEER"),
    State.KILLED: (State.KILLED, "KILLED"),
}


@dataclass(frozen=True)
class _End:
    """The end of an experiment: when it was, and the job that decided its outcome."""

    decisive: JobStatus
    finished: datetime | None


def judge(
    outline: Outline,
    blank: ExperimentStatus,
    root: Node,
    jobs: list[JobStatus],
    sub: str,
) -> ExperimentStatus:
    """Return the status of an experiment from its jobs.

    A daemon decides only if it failed and thereby ended the other jobs.
    """
    daemons = _daemons(outline, jobs)
    if _has_ended(outline, root):
        jobs = [_at_end(outline, job, sub, is_daemon=job.id in daemons) for job in jobs]
    elif rendezvous.is_awaited(jobs):
        return rendezvous.awaited(blank, jobs)
    # An experiment that has only daemons is decided by them.
    deciding = [job for job in jobs if job.id not in daemons] or jobs
    if not deciding:
        return _by_root(outline, blank, root, sub)
    state = set_state(count(deciding))
    if state.is_terminal:
        return _ended(blank, state, deciding, jobs, daemons)
    if state == State.RUNNING:
        return replace(blank, state=state, jobs=_with_peers(jobs))
    # It waits for the same reason as its most advanced job.
    leading = _in_state(deciding, state)[0]
    return replace(
        blank,
        state=state,
        reason=leading.reason,
        message=leading.message,
        jobs=tuple(jobs),
    )


def _with_peers(jobs: Sequence[JobStatus]) -> tuple[JobStatus, ...]:
    """Return the jobs of a running experiment; those that a failure ended are its peers."""
    failed = _in_state(jobs, State.FAILED)
    ended = list(filter(_looks_ended, failed))
    if len(ended) == len(failed):
        return tuple(jobs)
    peers = {job.id: _as_peer(job) for job in ended}
    return tuple(peers.get(job.id, job) for job in jobs)


def _daemons(outline: Outline, jobs: Sequence[JobStatus]) -> frozenset[str]:
    """Return the ids of the jobs that serve the others and end with them."""
    planned_jobs = zip(jobs, outline.planned, strict=True)
    return frozenset(job.id for job, planned in planned_jobs if planned.daemon)


def between_attempts(
    outline: Outline, experiment: ExperimentStatus, root: Node, attempt: int
) -> ExperimentStatus:
    """Return an experiment as waiting if its last attempt failed and another one follows."""
    if experiment.state is not State.FAILED or root.get("type") != "Retry":
        return experiment
    if _has_ended(outline, root):
        return experiment
    failure = experiment.message or experiment.reason
    return replace(
        experiment,
        state=State.PENDING,
        reason="RETRY",
        message=f"attempt {attempt + 1} failed: {experiment.guilty}: {failure}",
        finished=None,
    )


def _has_ended(outline: Outline, root: Node) -> bool:
    return outline.ended or doc.text(root.get("phase")) in FINAL


def _at_end(
    outline: Outline, job: JobStatus, sub: str, *, is_daemon: bool
) -> JobStatus:
    """Return a job whose experiment has ended.

    The document may show it as unfinished.
    """
    is_stopping = job.reason == reason_words.STOPPING and not outline.ended
    if job.state.is_terminal or is_stopping:
        return job
    if outline.kills.includes(sub):
        return replace(
            job,
            state=State.KILLED,
            reason="KILLED",
            message=outline.kills.by_argo,
            finished=outline.kills.time(sub),
        )
    if is_daemon and job.state == State.RUNNING:
        return replace(job, state=State.FINISHED, reason="STOPPED", message="")
    # The experiment ended before the engine made a node for it.
    if not job.node_id:
        return replace(job, state=State.KILLED, reason="PEER")
    return replace(
        job,
        state=State.FAILED,
        reason="PLATFORM",
        message=outline.message or job.message,
    )


def _by_root(
    outline: Outline, blank: ExperimentStatus, root: Node, sub: str
) -> ExperimentStatus:
    """Return an experiment of a document that plans no jobs, from the phase of its root node."""
    planned = PlannedJob("", "", None, Resources(), daemon=False, attempts=1)
    job = read_job(planned, "", TaskNodes(root), outline.kills, sub)
    return replace(
        blank,
        state=job.state,
        reason=job.reason,
        message=job.message,
        finished=job.finished,
    )


def _ended(
    blank: ExperimentStatus,
    state: State,
    deciding: list[JobStatus],
    jobs: list[JobStatus],
    daemons: frozenset[str],
) -> ExperimentStatus:
    """Return an experiment whose deciding jobs have all ended, in `state` together."""
    decisive = _in_state(deciding, state)[0]
    guilty = None
    if state == State.FAILED:
        # A daemon may have failed before them, and ended them.
        decisive = min(_in_state(jobs, state), key=_guilt)
        guilty = decisive.id
    finished = (job.finished for job in deciding)
    end = _End(decisive, max(filter(None, finished), default=None))
    jobs = [_after_end(job, end, is_daemon=job.id in daemons) for job in jobs]
    return replace(
        blank,
        state=state,
        reason=decisive.reason,
        message=decisive.message,
        exit_code=decisive.exit_code,
        guilty=guilty,
        finished=end.finished,
        jobs=tuple(jobs),
    )


def _in_state(jobs: Iterable[JobStatus], state: State) -> list[JobStatus]:
    return [job for job in jobs if job.state == state]


def _guilt(job: JobStatus) -> tuple[bool, datetime]:
    """Return a sort key: the first failure first, but failures that other jobs caused last."""
    return _looks_ended(job), job.finished or _LATEST


def _looks_ended(job: JobStatus) -> bool:
    """Return whether a job seems to have been ended from outside."""
    was_deleted = "pod deleted" in job.message
    return was_deleted or reasons.from_outside(job.reason, job.exit_code)


def _after_end(job: JobStatus, end: _End, *, is_daemon: bool) -> JobStatus:
    """Return a job of an experiment that has ended, with the effect of the end on it."""
    if job.id == end.decisive.id:
        return job
    if is_daemon and _ended_with_others(job, end):
        return _stopped_daemon(job, end)
    # A peer that failed by itself keeps its own failure.
    if end.decisive.state == State.FAILED and _looks_ended(job):
        return _as_peer(job)
    return job


def _as_peer(job: JobStatus) -> JobStatus:
    return replace(job, state=State.KILLED, reason="PEER", message="")


def _ended_with_others(daemon: JobStatus, end: _End) -> bool:
    """Return whether a daemon ended because the experiment did, and not by itself."""
    # Its processes may outlive the experiment by seconds. They decide nothing, so an
    # experiment that has ended does not show them as running.
    if daemon.state not in {State.FAILED, State.KILLED} or _looks_ended(daemon):
        return True
    # Argo reports a daemon that ends some time after its experiment as Failed.
    return end.decisive.exit_code == daemon.exit_code == 0


def _stopped_daemon(daemon: JobStatus, end: _End) -> JobStatus:
    state, reason = _DAEMON_ENDS[end.decisive.state]
    # Argo's finishedAt of a daemon is the time when it became ready.
    return replace(
        daemon,
        state=state,
        reason=reason,
        message="",
        exit_code=None,
        finished=end.finished,
    )
