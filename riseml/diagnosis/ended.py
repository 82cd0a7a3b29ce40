"""Explanations for jobs that have ended."""

import re
from collections.abc import Mapping

from riseml.dataclass import replace
from riseml.diagnosis import (
    admission,
    gangs,
    memory_limits,
    missing_build_files,
    missing_files,
    missing_modules,
    output_archive,
    removals,
    used_ports,
)
from riseml.diagnosis.evidence import (
    LOG_LINES,
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
from riseml.status.kills import STOPPED_WITH_ARGO

_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_DOCTOR_ADVICE = "Train again; `riseml doctor` checks for possible causes."
# BuildKit draws an excerpt of the Dockerfile around a failure, below the real error.
_BUILDKIT_FRAME = re.compile(r"\s*(\d+ \||-{3,}$|Dockerfile:|error: failed to solve)")
# What the process that attends a container writes into its log.
_UNSTARTED = re.compile(
    r"riseml: (?P<engine>\w+) could not start the container of this job$"
)
# A shell reports death by a signal as 128 plus the signal's number.
_SIGNALS = {
    134: "it aborted (a failed assertion, or memory that was freed twice)",
    137: "it was killed by SIGKILL, often because memory ran out",
    139: "it crashed with a segmentation fault",
    143: "it was terminated by SIGTERM",
}


def error(evidence: Evidence, subject: Subject) -> Cause:
    """Explain ERROR: a line of `run`, or the build of the image, failed."""
    precise = removals.preemption(evidence, subject) or _precise(evidence, subject)
    if precise is not None:
        return precise
    message = subject.message
    # The explanation already says "exit code 1".
    lines = [] if message.startswith("exit code ") else [message]
    if subject.id.endswith(".build"):
        explanation = f"{_failed_build(evidence)}: {message}"
        # Its log ends with the same message.
        lines = list(dict.fromkeys([*lines, *_build_error(evidence, subject)]))
    else:
        code = subject.exit_code
        explanation = f"a line of `run` ended with exit code {code}"
        explanation = _SIGNALS.get(code or 0, explanation)
        lines += evidence.log_end(subject.job)
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
    precise = _unstarted_container(evidence, subject) or missing_files.missing_file(
        evidence, subject
    )
    if precise is not None:
        return precise
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
        [*evidence.log_end(subject.job), subject.message],
        f"Check that {location} contains it, or add it with `install` in riseml.yml.",
    )


def held(evidence: Evidence, subject: Subject) -> Cause:
    """Explain HELD: the job has failed, and is kept."""
    failed = replace(subject, state=State.FAILED, reason="ERROR")
    is_command = subject.exit_code in (_NOT_EXECUTABLE, _NOT_FOUND)
    failure = command(evidence, failed) if is_command else error(evidence, failed)
    advice = f"It is held: `riseml shell {subject.id}` gets in, `riseml release {subject.id}` releases it."
    return replace(failure, fix=(*failure.fix, advice))


def out_of_memory(evidence: Evidence, subject: Subject) -> Cause:
    """Explain OOM: the job needed more memory than it may use."""
    at_limit = memory_limits.at_limit(evidence, subject)
    if at_limit is not None:
        return at_limit
    # A container without a limit may use all memory of its node.
    limit = _memory_limit(evidence.pod_of(subject.node))
    available = "its node had"
    if limit:
        available = f"the {limit} that its container may use"
    request = _memory_request(subject.resources)
    return cause(
        subject,
        f"it ran out of memory: it needed more than {available}",
        [*evidence.log_end(subject.job), subject.message],
        f"{request}Request more with `mem` under `resources` in riseml.yml, or use less (a smaller batch).",
    )


def timeout(evidence: Evidence, subject: Subject) -> Cause:
    """Explain TIMEOUT: the job ran too long."""
    return cause(
        subject,
        "it ran longer than its `timeout`",
        [subject.message, *evidence.log_end(subject.job)],
        "Raise `timeout` in riseml.yml. After SIGTERM, a job has 30 seconds to save a checkpoint.",
    )


def idle(evidence: Evidence, subject: Subject) -> Cause:
    """Explain IDLE: the job does not use its GPUs, or has not for its `idle_timeout`."""
    if subject.state is State.RUNNING:
        return cause(
            subject,
            "it runs, but its processes use less than 2 % of its GPUs",
            [subject.message, *evidence.log_end(subject.job)],
            "It may load data, or hang. `riseml kill` ends it, and `idle_timeout` in riseml.yml does so after a time.",
        )
    return cause(
        subject,
        "it was stopped because its processes had not used its GPUs for its `idle_timeout`",
        [subject.message, *evidence.log_end(subject.job)],
        "If it was still needed, raise `idle_timeout` in riseml.yml. If it loads data for long, do that in a job"
        " without GPUs. If it hung, `retries: {count: 1, on: idle}` starts it once more.",
    )


def unscheduled(evidence: Evidence, subject: Subject) -> Cause:
    """Explain UNSCHEDULED: no node had room before the time limit."""
    return cause(
        subject,
        "no node had room for it before its time limit",
        [*evidence.warnings(subject.node), subject.message],
        "All jobs of an experiment must fit at once: request less, or raise `gang_timeout` in riseml.yml.",
    )


def platform(evidence: Evidence, subject: Subject) -> Cause:
    """Explain PLATFORM: the cluster is at fault, not the job."""
    refusal = admission.refusal(evidence, subject)
    if refusal is not None:
        return refusal
    not_saved = output_archive.failure(evidence, subject)
    if not_saved is not None:
        return not_saved
    return cause(
        subject,
        "it failed because of its surroundings, not because of its code",
        [
            subject.message,
            *evidence.warnings(subject.node),
            *evidence.log_end(subject.job),
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
        _unstarted_container(evidence, subject)
        or memory_limits.at_limit(evidence, subject)
        or missing_modules.module_conflict(evidence, subject)
        or missing_files.missing_file(evidence, subject)
        or used_ports.port_conflict(evidence, subject)
    )


def _unstarted_container(evidence: Evidence, subject: Subject) -> Cause | None:
    """Explain a container that its engine could not start, None if it could."""
    lines = evidence.log(subject.job)
    match = next(filter(None, map(_UNSTARTED.match, lines)), None)
    if match is None:
        return None
    return cause(
        subject,
        f"{match['engine']} could not start its container",
        lines[-LOG_LINES:],
        f"`{match['engine']} run --rm IMAGE true` shows whether any container starts on this machine.",
        "`riseml train --runner process` runs jobs in your own environment.",
    )


def _failed_build(evidence: Evidence) -> str:
    """Return what a build that has failed was about."""
    if evidence.builds_image and not evidence.run.install:
        return "the image could not be pulled"
    if evidence.has_cluster or evidence.builds_image:
        return "the image could not be built"
    return "the environment could not be installed"


def _build_error(evidence: Evidence, subject: Subject) -> list[str]:
    log = evidence.log(subject.job)
    lines = [line for line in log if not _BUILDKIT_FRAME.match(line)]
    return lines[-LOG_LINES:]


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


def lost(evidence: Evidence, subject: Subject) -> Cause:
    """Explain LOST: the Workflow was deleted before anybody had read how it ended."""
    run = evidence.run.id
    return cause(
        subject,
        "its Workflow was deleted, with kubectl or argo, before its end was recorded",
        evidence.log_end(subject.job),
        f"Logs, results and output still exist: `riseml logs {run}`, `riseml ls`.",
        f"`riseml rerun {run}` runs it again, `riseml delete {run}` removes what is left.",
    )


def killed(evidence: Evidence, subject: Subject) -> Cause:
    """Explain KILLED: a user stopped it."""
    if subject.message.startswith(STOPPED_WITH_ARGO):
        return cause(
            subject,
            f"it was {subject.message}, not with RiseML",
            (),
            f"`riseml retry {evidence.run.id}` repeats what has not finished.",
        )
    explanation = "stopped by `riseml kill`"
    if evidence.has_cluster:
        explanation += ": you, or somebody with your key, killed it"
    return cause(subject, explanation, [subject.message])


EXPLANATIONS: Mapping[str, Explain] = {
    "ERROR": error,
    "HELD": held,
    "COMMAND": command,
    "OOM": out_of_memory,
    "TIMEOUT": timeout,
    "IDLE": idle,
    "UNSCHEDULED": unscheduled,
    "GANG": gangs.gang,
    "CHECKOUT": from_message(
        "it could not get its code from the store",
        "Check the store with `riseml doctor`, then train again.",
    ),
    "SIDECAR": from_message(
        "a container beside the job failed, not the job itself", _DOCTOR_ADVICE
    ),
    **removals.EXPLANATIONS,
    "PLATFORM": platform,
    "KILLED": killed,
    "PEER": peer,
    "STOPPED": from_message("it serves the other jobs, and stopped when they ended"),
    "LOST": lost,
    "EARLY": from_message(
        "its search stopped it early, since other experiments were better",
        "A larger min_resource under search gives experiments more time.",
    ),
    "COMPLETED": from_message("all its commands ended with exit code 0"),
}
