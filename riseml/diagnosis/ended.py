"""How a job came to its end."""

import re
from collections.abc import Callable, Mapping

from riseml.diagnosis.evidence import Cause, Evidence, Object, Subject, cause, simply
from riseml.plan import Resources
from riseml.status import State

# Of a log
_LINES = 6
_AGAIN = (
    "`retries: {{count: 2, on: [{word}]}}` in riseml.yml starts such experiments again."
)
_RIGHTS = re.compile(
    r"workflowtaskresults|is forbidden: User \"system:serviceaccount:\S+\" cannot"
)
_POLICY = re.compile(
    r"violates PodSecurity|ValidatingAdmissionPolicy|admission webhook .* denied"
)
_FRAME = re.compile(
    r"\s*(\d+ \||-{3,}$|Dockerfile:|error: failed to solve)"
)  # what BuildKit draws around a failure
_SIGNALS = {
    134: "it aborted itself (a failed assertion, or memory that was freed twice)",
    137: "it was ended by SIGKILL, often for want of memory",
    139: "it crashed with a segmentation fault",
    143: "it was ended by SIGTERM",
}


def error(evidence: Evidence, subject: Subject) -> Cause:
    """A line of `run` failed."""
    lines = evidence.log(subject.job)[-_LINES:]
    what = (
        _SIGNALS.get(subject.exit_code or 0)
        or f"a line of `run` ended with exit code {subject.exit_code}"
    )
    more = (
        f"`riseml logs {subject.job or subject.id}` has the whole log."
        if subject.exit_code is not None
        else ""
    )
    if subject.id.endswith(".build"):
        what = f"the image could not be built: {subject.message}"
        lines = tuple(
            line for line in evidence.log(subject.job) if not _FRAME.match(line)
        )[-_LINES:]
    return cause(subject, what, [*_unless_code(subject), *lines], *filter(None, [more]))


def _unless_code(subject: Subject) -> list[str]:
    return [] if subject.message.startswith("exit code ") else [subject.message]


def command(evidence: Evidence, subject: Subject) -> Cause:
    """A command is not there."""
    lines = evidence.log(subject.job)[-_LINES:]
    what = (
        "a command of `run` is not executable"
        if subject.exit_code == 126  # noqa: PLR2004
        else "a command of `run` is not there"
    )
    where = (
        "this machine's PATH"
        if evidence.is_local
        else f"the image {evidence.run.image}"
    )
    return cause(
        subject,
        what,
        [*lines, subject.message],
        f"Look for it in {where}, or add it with `install` in riseml.yml.",
    )


def out_of_memory(evidence: Evidence, subject: Subject) -> Cause:
    """It needed more memory than there was."""
    limit = _limit(evidence.pod_of(subject.node))
    allowed = (
        f"more than the {limit} that its container may use"
        if limit
        else "more than its node had"
    )
    asked = f"It asks for {_mem(subject.resources)}; " if subject.resources else ""
    return cause(
        subject,
        f"it needed more memory: {allowed}",
        [*evidence.log(subject.job)[-_LINES:], subject.message],
        f"{asked}ask for more with `mem` under `resources`, or let it need less (a smaller batch).",
    )


def _limit(pod: Object | None) -> str:
    containers = pod["spec"].get("containers", ()) if pod else ()
    main: Object = next((each for each in containers if each.get("name") == "main"), {})
    return str(main.get("resources", {}).get("limits", {}).get("memory", ""))


def _mem(resources: Resources) -> str:
    return f"{resources.mem // 1_000_000} MB"


def timeout(evidence: Evidence, subject: Subject) -> Cause:
    """It ran too long."""
    return cause(
        subject,
        "it ran longer than its `timeout`",
        [subject.message, *evidence.log(subject.job)[-_LINES:]],
        "Raise `timeout` in riseml.yml; a job that saves a checkpoint on SIGTERM has 30 seconds for that.",
    )


def unscheduled(evidence: Evidence, subject: Subject) -> Cause:
    """No place in time."""
    return cause(
        subject,
        "it found no node with room in the time that it was given",
        [*evidence.warnings(subject.node), subject.message],
        "All jobs of an experiment must have room at once: ask for less, or raise `gang_timeout` in riseml.yml.",
    )


def gang(evidence: Evidence, subject: Subject) -> Cause:
    """Peers did not come."""
    lines = [subject.message, *evidence.log(subject.job)[-_LINES:]]
    return cause(
        subject,
        "it waited in vain for the other jobs of its experiment",
        lines,
        "`riseml status` of the run shows which have not begun; `gang_timeout` in riseml.yml is how long it waits.",
    )


def evicted(evidence: Evidence, subject: Subject) -> Cause:
    """Its node had no more for it."""
    return cause(
        subject,
        "it was taken off its node, which ran short of something",
        [subject.message, *evidence.warnings(subject.node)],
        "Ask for as much `mem` as it uses: who uses more than that is taken off first.",
        _AGAIN.format(word="preempted"),
    )


def platform(evidence: Evidence, subject: Subject) -> Cause:
    """Not its own doing."""
    warnings = evidence.warnings(subject.node)
    if _RIGHTS.search(subject.message):
        advice = f"An administrator gives them back: `riseml user update --username {evidence.run.user}`."
        what = "Argo's executor lacks rights in the namespace"
        return cause(
            subject,
            what,
            [subject.message],
            advice,
            "`riseml doctor` shows which.",
            kind="RIGHTS",
        )
    if _POLICY.search(subject.message):
        what = "the cluster's rules for pods refuse it"
        advice = "An administrator sees which rule in the text above; RiseML's own pods keep to the level `baseline`."
        return cause(subject, what, [subject.message], advice, kind="POLICY")
    return cause(
        subject,
        "it failed, and not by its own doing",
        [subject.message, *warnings, *evidence.log(subject.job)[-_LINES:]],
        "Train again; `riseml doctor` looks for what may be wrong.",
    )


def peer(_: Evidence, subject: Subject) -> Cause:
    """Another job failed."""
    guilty = subject.experiment.guilty if subject.experiment else None
    return cause(
        subject,
        f"it was ended because {guilty or 'another job of its experiment'} had failed",
        [subject.message],
        *([f"`riseml why {guilty}` tells why."] if guilty else []),
    )


def anything(evidence: Evidence, subject: Subject) -> Cause:
    """Return what is known of an end that has no word."""
    if subject.state is State.FAILED:
        return platform(evidence, subject)
    return WORDS["KILLED" if subject.state is State.KILLED else "COMPLETED"](
        evidence, subject
    )


WORDS: Mapping[str, Callable[[Evidence, Subject], Cause]] = {
    "ERROR": error,
    "COMMAND": command,
    "OOM": out_of_memory,
    "TIMEOUT": timeout,
    "UNSCHEDULED": unscheduled,
    "GANG": gang,
    "CHECKOUT": simply(
        "it did not get its code from the store",
        "`riseml doctor` looks at the store; train again.",
    ),
    "SIDECAR": simply(
        "a container beside it failed, not the job",
        "Train again; `riseml doctor` looks around.",
    ),
    "EVICTED": evicted,
    "PREEMPTED": simply(
        "it had to give way to something more important",
        _AGAIN.format(word="preempted"),
    ),
    "DELETED": simply(
        "somebody deleted its pod: an administrator, or the cluster when a node was emptied",
        _AGAIN.format(word="preempted"),
    ),
    "PLATFORM": platform,
    "KILLED": simply("you, or somebody with your key, killed it"),
    "PEER": peer,
    "STOPPED": simply("it serves the other jobs, and ended with them"),
    "COMPLETED": simply("all its commands ended with exit code 0"),
}
