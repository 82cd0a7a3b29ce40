"""Explanations for jobs that have ended."""

import re
from collections.abc import Mapping

from riseml.diagnosis import (
    missing_build_files,
    missing_files,
    missing_modules,
    used_ports,
)
from riseml.diagnosis.evidence import (
    Cause,
    Evidence,
    Explain,
    Object,
    Subject,
    cause,
    from_message,
)
from riseml.plan import Resources
from riseml.status import State

# Enough for the end of a traceback; `riseml logs` shows the full log.
_LOG_LINES = 6
_NOT_EXECUTABLE = 126
_RETRY_ADVICE = (
    "`retries: {count: 2, on: [preempted]}` in riseml.yml restarts such experiments."
)
_DOCTOR_ADVICE = "Train again; `riseml doctor` checks for possible causes."
_RIGHTS = re.compile(
    r"workflowtaskresults|is forbidden: User \"system:serviceaccount:\S+\" cannot"
)
_POLICY = re.compile(
    r"violates PodSecurity|ValidatingAdmissionPolicy|admission webhook .* denied"
)
# BuildKit draws an excerpt of the Dockerfile around a failure, below the real error.
_BUILDKIT_FRAME = re.compile(r"\s*(\d+ \||-{3,}$|Dockerfile:|error: failed to solve)")
# A shell reports death by a signal as 128 plus the signal's number.
_SIGNALS = {
    134: "it aborted (a failed assertion, or memory that was freed twice)",
    137: "it was killed by SIGKILL, often because memory ran out",
    139: "it crashed with a segmentation fault",
    143: "it was terminated by SIGTERM",
}


def error(evidence: Evidence, subject: Subject) -> Cause:
    """Explain ERROR: a line of `run`, or the build of the image, failed."""
    precise = _precise(evidence, subject)
    if precise is not None:
        return precise
    message = subject.message
    # The explanation already says "exit code 1".
    lines = [] if message.startswith("exit code ") else [message]
    if subject.id.endswith(".build"):
        explanation = f"the environment could not be installed: {message}"
        if evidence.has_cluster:
            explanation = f"the image could not be built: {message}"
        lines += _build_error(evidence, subject)
    else:
        code = subject.exit_code
        explanation = f"a line of `run` ended with exit code {code}"
        explanation = _SIGNALS.get(code or 0, explanation)
        lines += _last_lines(evidence, subject)
    if subject.exit_code is None:
        return cause(subject, explanation, lines)
    return cause(
        subject,
        explanation,
        lines,
        f"`riseml logs {subject.job or subject.id}` shows the full log.",
    )


def command(evidence: Evidence, subject: Subject) -> Cause:
    """Explain COMMAND: a command was not found or is not executable."""
    # A script of the project may have been left out of the snapshot.
    missing = missing_files.missing_file(evidence, subject)
    if missing is not None:
        return missing
    explanation = "a command of `run` is not there"
    if subject.exit_code == _NOT_EXECUTABLE:
        explanation = "a command of `run` is not executable"
    # On this machine, jobs run without a container.
    location = "this machine's PATH"
    if evidence.has_cluster:
        location = f"the image {evidence.run.image}"
    return cause(
        subject,
        explanation,
        [*_last_lines(evidence, subject), subject.message],
        f"Check that {location} contains it, or add it with `install` in riseml.yml.",
    )


def out_of_memory(evidence: Evidence, subject: Subject) -> Cause:
    """Explain OOM: the job needed more memory than it may use."""
    # A container without a limit may use all memory of its node.
    limit = _memory_limit(evidence.pod_of(subject.node))
    available = "its node had"
    if limit:
        available = f"the {limit} that its container may use"
    request = _memory_request(subject.resources)
    return cause(
        subject,
        f"it ran out of memory: it needed more than {available}",
        [*_last_lines(evidence, subject), subject.message],
        f"{request}Request more with `mem` under `resources` in riseml.yml, or use less (a smaller batch).",
    )


def timeout(evidence: Evidence, subject: Subject) -> Cause:
    """Explain TIMEOUT: the job ran too long."""
    return cause(
        subject,
        "it ran longer than its `timeout`",
        [subject.message, *_last_lines(evidence, subject)],
        "Raise `timeout` in riseml.yml. After SIGTERM, a job has 30 seconds to save a checkpoint.",
    )


def unscheduled(evidence: Evidence, subject: Subject) -> Cause:
    """Explain UNSCHEDULED: no node had room before the time limit."""
    return cause(
        subject,
        "no node had room for it before its time limit",
        [*evidence.warnings(subject.node), subject.message],
        "All jobs of an experiment must fit at once: request less, or raise `gang_timeout` in riseml.yml.",
    )


def gang(evidence: Evidence, subject: Subject) -> Cause:
    """Explain GANG: other jobs of the experiment did not arrive."""
    return cause(
        subject,
        "it timed out waiting for the other jobs of its experiment",
        [subject.message, *_last_lines(evidence, subject)],
        "`riseml status` shows which jobs have not started; `gang_timeout` in riseml.yml sets how long a job waits.",
    )


def evicted(evidence: Evidence, subject: Subject) -> Cause:
    """Explain EVICTED: the node ran short of a resource."""
    return cause(
        subject,
        "it was taken off its node, because the node ran short of memory or disk space",
        [subject.message, *evidence.warnings(subject.node)],
        "Request as much `mem` as it uses: jobs that use more than they request are evicted first.",
        _RETRY_ADVICE,
    )


def platform(evidence: Evidence, subject: Subject) -> Cause:
    """Explain PLATFORM: the cluster is at fault, not the job."""
    message = subject.message
    if _RIGHTS.search(message):
        return cause(
            subject,
            "Argo's executor lacks rights in the namespace",
            [message],
            f"An administrator can restore them: `riseml user update --username {evidence.run.user}`.",
            "`riseml doctor` shows which rights are missing.",
            kind="RIGHTS",
        )
    if _POLICY.search(message):
        return cause(
            subject,
            "the cluster's rules for pods reject it",
            [message],
            "The text above names the rule, for an administrator. RiseML's own pods comply with the level `baseline`.",
            kind="POLICY",
        )
    return cause(
        subject,
        "it failed because of its surroundings, not because of its code",
        [
            message,
            *evidence.warnings(subject.node),
            *_last_lines(evidence, subject),
        ],
        _DOCTOR_ADVICE,
    )


def peer(_: Evidence, subject: Subject) -> Cause:
    """Explain PEER: another job of the experiment failed."""
    guilty = subject.experiment.guilty if subject.experiment else None
    if not guilty:
        explanation = "it was stopped because another job of its experiment had failed"
        return cause(subject, explanation, [subject.message])
    return cause(
        subject,
        f"it was stopped because {guilty} had failed",
        [subject.message],
        f"`riseml why {guilty}` explains the failure.",
    )


def unknown_reason(evidence: Evidence, subject: Subject) -> Cause:
    """Explain an end whose reason has no explanation of its own."""
    if subject.state is State.FAILED:
        return platform(evidence, subject)
    reason = "KILLED" if subject.state is State.KILLED else "COMPLETED"
    return EXPLANATIONS[reason](evidence, subject)


def _precise(evidence: Evidence, subject: Subject) -> Cause | None:
    """Return a cause that the log of a failed job names, None if it names none."""
    # The build of an image has other files and another network.
    if subject.id.endswith(".build"):
        return missing_build_files.missing_build_file(evidence, subject)
    return (
        missing_modules.module_conflict(evidence, subject)
        or missing_files.missing_file(evidence, subject)
        or used_ports.port_conflict(evidence, subject)
    )


def _last_lines(evidence: Evidence, subject: Subject) -> tuple[str, ...]:
    return evidence.log(subject.job)[-_LOG_LINES:]


def _build_error(evidence: Evidence, subject: Subject) -> list[str]:
    log = evidence.log(subject.job)
    lines = [line for line in log if not _BUILDKIT_FRAME.match(line)]
    return lines[-_LOG_LINES:]


def _memory_limit(pod: Object | None) -> str:
    """Return the memory limit of a pod's job, as Kubernetes writes it."""
    containers = pod["spec"].get("containers", ()) if pod else ()
    for container in containers:
        # Argo's own containers run beside the job's `main`.
        if container.get("name") == "main":
            limits = container.get("resources", {}).get("limits", {})
            return str(limits.get("memory", ""))
    return ""


def _memory_request(resources: Resources | None) -> str:
    if resources is None:
        return ""
    return f"It requests {resources.mem // 1_000_000} MB. "


def killed(evidence: Evidence, subject: Subject) -> Cause:
    """Explain KILLED: a user stopped it."""
    explanation = "stopped by `riseml kill`"
    if evidence.has_cluster:
        explanation += ": you, or somebody with your key, killed it"
    return cause(subject, explanation, [subject.message])


EXPLANATIONS: Mapping[str, Explain] = {
    "ERROR": error,
    "COMMAND": command,
    "OOM": out_of_memory,
    "TIMEOUT": timeout,
    "UNSCHEDULED": unscheduled,
    "GANG": gang,
    "CHECKOUT": from_message(
        "it could not get its code from the store",
        "Check the store with `riseml doctor`, then train again.",
    ),
    "SIDECAR": from_message(
        "a container beside the job failed, not the job itself", _DOCTOR_ADVICE
    ),
    "EVICTED": evicted,
    "PREEMPTED": from_message(
        "it was preempted by something more important", _RETRY_ADVICE
    ),
    "DELETED": from_message(
        "somebody deleted its pod: an administrator, or the cluster while draining a node",
        _RETRY_ADVICE,
    ),
    "PLATFORM": platform,
    "KILLED": killed,
    "PEER": peer,
    "STOPPED": from_message("it serves the other jobs, and stopped when they ended"),
    "EARLY": from_message(
        "its search stopped it early, since other experiments were better",
        "A larger min_resource under search gives experiments more time.",
    ),
    "COMPLETED": from_message("all its commands ended with exit code 0"),
}
