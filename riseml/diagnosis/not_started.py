"""Explanations for jobs that wait for something else than capacity or their pod."""

from collections.abc import Iterator, Mapping

from riseml import labels
from riseml.diagnosis import build_log
from riseml.diagnosis.evidence import (
    Cause,
    Evidence,
    Explain,
    Object,
    Subject,
    cause,
    from_message,
)
from riseml.status import State

_RETRY_ADVICE = "`retries: {count: 2, on: [node-lost, preempted]}` in riseml.yml restarts such experiments."
# The log of a running job is context here, not evidence of a failure.
_LAST_LINES = 3


def lock(evidence: Evidence, subject: Subject) -> Cause:
    """Explain LOCK: another run builds the same image, or holds the lock."""
    holders = []
    for document in evidence.documents:
        holders += [f"held by {holder}" for holder in _holders(document)]
    # Builds of the same image exclude each other with a mutex of this name.
    is_build = "riseml-build" in subject.message or "build" in subject.id
    explanation = "it is waiting for a lock"
    if is_build:
        explanation = "the same image is being built for another run"
    return cause(
        subject,
        explanation,
        [subject.message, *holders],
        "It continues by itself when the lock is released.",
    )


def build(evidence: Evidence, subject: Subject) -> Cause:
    """Explain BUILD: the image of the experiment is being built."""
    jobs = [job for job in evidence.run.jobs if job.type in labels.BUILD_TYPES]
    if not jobs:
        return cause(subject, "its image is being built")
    job = jobs[0]
    state = f"{job.state}, {job.reason}" if job.reason else str(job.state)
    return cause(
        subject,
        f"its image is being built by {job.id} ({state})",
        [job.message],
        f"`riseml logs {job.id}` shows the progress.",
    )


def building(evidence: Evidence, subject: Subject) -> Cause:
    """Explain a build that is at work."""
    lines = evidence.log(subject.job)
    explanation = "the environment is being installed"
    if evidence.has_cluster:
        explanation = "the image is being built"
    steps = evidence.run.install
    if subject.job.endswith(".build-search"):
        explanation = f"{explanation} in which its search chooses parameters"
        steps = ()
    step = build_log.current_step(lines, steps)
    if step:
        explanation = f"{explanation}: {step}"
    return cause(
        subject,
        explanation,
        build_log.telling(lines)[-_LAST_LINES:],
        f"`riseml logs {subject.job}` shows the full log.",
        kind="BUILD",
    )


def retry(evidence: Evidence, subject: Subject) -> Cause:
    """Explain RETRY: the next attempt has not started yet."""
    return cause(
        subject,
        "its last attempt failed, and the next one is about to start",
        [subject.message, *evidence.log(subject.job)],
    )


def node_lost(evidence: Evidence, subject: Subject) -> Cause:
    """Explain NODE_LOST: the node does not respond, or the machine was restarted."""
    if not evidence.has_cluster:
        explanation = "the machine was restarted while it ran"
        return cause(subject, explanation, [subject.message], _RETRY_ADVICE)
    if subject.state.is_terminal:
        return cause(subject, "its node was lost", [subject.message], _RETRY_ADVICE)
    return cause(
        subject,
        "its node does not respond",
        [subject.message],
        "If the node comes back, the job continues; `riseml kill --force` gives it up.",
    )


def not_blocked(evidence: Evidence, subject: Subject) -> Cause:
    """Explain a subject that is running or about to start, without any obstacle."""
    if subject.state is not State.RUNNING:
        return cause(subject, "it is about to start", [subject.message])
    progress = subject.experiment.progress if subject.experiment else None
    done = f" ({progress[0]} of {progress[1]} done)" if progress else ""
    lines = evidence.log(subject.job)[-_LAST_LINES:]
    finished = _finished_peers(subject)
    if finished:
        # A framework's processes wait for each other at the start, and TensorFlow's for an hour.
        names = ", ".join(finished)
        return cause(
            subject,
            f"it runs{done}, while {names} has finished; if other jobs wait for it to join, they wait in vain",
            [subject.message, *lines],
            f"`riseml logs {finished[0]}` shows whether that job has done its part; `riseml kill` ends the others.",
        )
    return cause(
        subject,
        f"it runs{done}, and nothing is blocking it",
        [subject.message, *lines],
    )


def _finished_peers(subject: Subject) -> list[str]:
    """Return the ids of the experiment's jobs that have finished before this one."""
    if subject.experiment is None:
        return []
    return [job.id for job in subject.experiment.jobs if job.state is State.FINISHED]


def _holders(document: Object) -> Iterator[str]:
    synchronization = document.get("status", {}).get("synchronization", {})
    for lock in synchronization.get("mutex", {}).get("waiting", ()):
        if lock.get("holder"):
            yield str(lock["holder"])


EXPLANATIONS: Mapping[str, Explain] = {
    "LOCK": lock,
    "BUILD": build,
    "LAUNCH": from_message(
        "this machine has not been able to start its processes for 30 seconds",
        "It starts by itself as soon as that is possible. `riseml doctor` checks this machine,"
        " and controller.log in the RiseML home has the details.",
    ),
    "RETRY": retry,
    "NODE_LOST": node_lost,
    "CONTROLLER": from_message(
        "no Argo controller is processing this workflow",
        "It resumes as soon as a controller watches this namespace and instance id.",
        "`riseml doctor` checks for one; an administrator can look at the Deployment workflow-controller.",
    ),
    "STOPPING": from_message(
        "it was asked to stop and has not exited yet; it may be saving a checkpoint",
        "It is killed after 30 seconds; `riseml kill --force` removes a job that does not respond.",
    ),
}
