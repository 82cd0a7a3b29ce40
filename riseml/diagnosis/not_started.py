"""Explanations for jobs that wait for something else than capacity or their pod."""

from collections.abc import Mapping

from riseml import labels
from riseml.diagnosis import build_log, locks, unplaced
from riseml.diagnosis.evidence import (
    Cause,
    Evidence,
    Explain,
    Subject,
    cause,
    from_message,
)
from riseml.status import State, suspension

_RETRY_ADVICE = "`retries: {count: 2, on: [node-lost, preempted]}` in riseml.yml restarts such experiments."
# The log of a running job is context here, not evidence of a failure.
_LAST_LINES = 3


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
    is_search = subject.job.endswith(".build-search")
    has_image = evidence.builds_image and not is_search
    if evidence.has_cluster or has_image:
        explanation = "the image is being built"
    if has_image and not evidence.run.install:
        explanation = "the image is not here yet"
    steps = evidence.run.install
    if is_search:
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


def suspended(evidence: Evidence, subject: Subject) -> Cause:
    """Explain SUSPENDED: somebody has told Argo to start nothing more."""
    # The advice says the rest of the message.
    commands = map(suspension.resume_command, evidence.documents)
    return cause(
        subject,
        "somebody has suspended its run with Argo, so nothing more of it starts",
        (),
        *[f"`{command}` continues it." for command in commands],
        f"`riseml kill {evidence.run.id}` ends it instead.",
    )


def controller(evidence: Evidence, subject: Subject) -> Cause:
    """Explain CONTROLLER: Argo does nothing about the Workflow."""
    instance = _instance_id(evidence)
    explanation = "no Argo controller is processing this workflow"
    advice = "It resumes as soon as a controller watches this namespace."
    if instance:
        explanation = f"{explanation}, which has the instance id {instance}"
        advice = (
            "It resumes as soon as a controller with this instance id watches this namespace. If the cluster's Argo has"
            " another one, an administrator sets it: `argo: {instanceId: ID}` in values.yml."
        )
    return cause(
        subject,
        explanation,
        [subject.message or evidence.run.message],
        advice,
        "`riseml doctor` checks for one; an administrator can look at the Deployment workflow-controller.",
    )


def _instance_id(evidence: Evidence) -> str:
    for document in evidence.documents:
        tags = document["metadata"].get("labels", {})
        return str(tags.get(labels.INSTANCE, ""))
    return ""


def node_lost(evidence: Evidence, subject: Subject) -> Cause:
    """Explain NODE_LOST: the node does not respond, or the machine was restarted."""
    if not evidence.has_cluster:
        explanation = "the machine was restarted while it ran"
        return cause(subject, explanation, [subject.message], _RETRY_ADVICE)
    if subject.state.is_terminal:
        lines = [subject.message, *evidence.warnings(subject.node)]
        return cause(subject, _loss(subject.message), lines, _RETRY_ADVICE)
    return cause(
        subject,
        "its node does not respond",
        [subject.message],
        "If the node comes back, the job continues; `riseml kill --force` gives it up.",
    )


def _loss(message: str) -> str:
    if "could not be located" in message:
        return "its node lost its container, so nobody knows how it ended"
    return "its node was lost"


def not_blocked(evidence: Evidence, subject: Subject) -> Cause:
    """Explain a subject that is running or about to start, without any obstacle."""
    if subject.state is not State.RUNNING:
        return unplaced.not_yet_running(evidence, subject)
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
    return [job.id for job in subject.experiment_jobs if job.state is State.FINISHED]


EXPLANATIONS: Mapping[str, Explain] = {
    "LOCK": locks.lock,
    "BUILD": build,
    "LAUNCH": from_message(
        "this machine has not been able to start its processes for 30 seconds",
        "It starts by itself as soon as that is possible. `riseml doctor` checks this machine,"
        " and controller.log in the RiseML home has the details.",
    ),
    "RETRY": retry,
    "NODE_LOST": node_lost,
    "SUSPENDED": suspended,
    **unplaced.EXPLANATIONS,
    "CONTROLLER": controller,
    "STOPPING": from_message(
        "it was asked to stop and has not exited yet; it may be saving a checkpoint",
        "It is killed after 30 seconds; `riseml kill --force` removes a job that does not respond.",
    ),
}
