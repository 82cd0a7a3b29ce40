"""Explanations for jobs that their node or the cluster has removed or refused.

The texts are those of the kubelet, which docs/cluster/failures.md lists.
"""

import re
from collections.abc import Mapping

from riseml.diagnosis.evidence import Cause, Evidence, Explain, Subject, cause

_RETRY_ADVICE = "`retries: {count: 2, on: [preempted, node-lost]}` in riseml.yml restarts such experiments."
_LOW = re.compile(r"low on resource: (?P<resource>[\w-]+)")
_OWN_STORAGE = re.compile(
    r"total limit of containers (?P<pod>\S+)\."
    r'|ephemeral storage limit "(?P<container>[^"]+)"'
    r'|EmptyDir volume "[^"]+" exceeds the limit "(?P<volume>[^"]+)"'
)
_RESOURCES = {
    "memory": "memory",
    "ephemeral-storage": "disk space",
    "inodes": "room for files on its disk",
    "pids": "process numbers",
}
_SHUTDOWN = re.compile(r"node shutdown|node is shutting down")
# What a node says when it refuses a pod; the first pattern that matches decides.
_REFUSALS = (
    (
        re.compile(r"node had condition: \[([^\]]*)\]"),
        "it had become short of something ({})",
    ),
    (_SHUTDOWN, "it was shutting down"),
    (re.compile(r"enough resource: ([\w./-]+)"), "it was full already ({})"),
    (re.compile(r"NodeAffinity"), "its labels do not fit what the job asks for"),
    (
        re.compile(r"devices? (?:unavailable for )?([\w.-]+/[\w.-]+)"),
        "its devices {} were not ready, as while their plug-in restarts",
    ),
)


def evicted(evidence: Evidence, subject: Subject) -> Cause:
    """Explain EVICTED: the node ran short of something, or the job exceeded its storage."""
    lines = [subject.message, *evidence.warnings(subject.node)]
    own = _OWN_STORAGE.search(subject.message)
    if own is not None:
        return cause(
            subject,
            f"it was taken off its node, because it wrote more than {own[own.lastgroup or 0]} to the node's disk",
            lines,
            "Write large files to /output or /data, which are volumes. The limit is one of the namespace, which"
            " administrators set.",
            _RETRY_ADVICE,
        )
    low = _LOW.search(subject.message)
    resource = low["resource"] if low else ""
    scarce = _RESOURCES.get(resource, "memory or disk space")
    advice = "Request as much `mem` as it uses: jobs that use more than they request are evicted first."
    if resource and resource != "memory":
        advice = "Write large files to /output or /data, which are volumes, and not to the disk of the node."
    return cause(
        subject,
        f"it was taken off its node, because the node ran short of {scarce}",
        lines,
        advice,
        _RETRY_ADVICE,
    )


def rejected(evidence: Evidence, subject: Subject) -> Cause:
    """Explain REJECTED: the scheduler chose a node, and the node refused.

    A kubelet that starts again refuses jobs that were running already, too.
    """
    lines = [subject.message, *evidence.warnings(subject.node)]
    explanation = f"its node refused to run it: {_refusal(subject.message)}"
    return cause(subject, explanation, lines, _RETRY_ADVICE)


def preempted(evidence: Evidence, subject: Subject) -> Cause:
    """Explain PREEMPTED: something more important took its place, or the node was shut down."""
    if not subject.state.is_terminal:
        return _being_preempted(subject)
    explanation = "it was preempted by something more important"
    if _SHUTDOWN.search(subject.message):
        explanation = "its node was shut down"
    lines = [subject.message, *evidence.warnings(subject.node)]
    return cause(subject, explanation, lines, _RETRY_ADVICE)


def deleted(evidence: Evidence, subject: Subject) -> Cause:
    """Explain DELETED: its pod was deleted."""
    if not subject.state.is_terminal:
        lines = [subject.message, *evidence.warnings(subject.node)]
        return cause(
            subject, "its node is being drained, and it ends", lines, _RETRY_ADVICE
        )
    preempted_job = preemption(evidence, subject)
    if preempted_job is not None:
        return preempted_job
    return cause(
        subject,
        "somebody deleted its pod: an administrator, or the cluster while draining a node",
        [subject.message],
        _RETRY_ADVICE,
    )


def preemption(evidence: Evidence, subject: Subject) -> Cause | None:
    """Return that a failed job was preempted, None if the cluster remembers nothing of that.

    A program that is asked to end may end with any status.
    """
    events = evidence.preemptions(subject.node)
    if not events:
        return None
    code = subject.exit_code
    end = "" if code is None else f", and ended with exit code {code}"
    return cause(
        subject,
        f"it was preempted by something more important{end}",
        [*events, subject.message],
        _RETRY_ADVICE,
        kind="PREEMPTED",
    )


def _being_preempted(subject: Subject) -> Cause:
    return cause(
        subject,
        "it is being preempted: something more important takes its place, and it may be saving a checkpoint",
        [subject.message],
        _RETRY_ADVICE,
    )


def _refusal(message: str) -> str:
    """Return why a node refused a pod, in plain words."""
    for pattern, words in _REFUSALS:
        match = pattern.search(message)
        if match is not None:
            return words.format(*match.groups())
    return "the text below says why"


EXPLANATIONS: Mapping[str, Explain] = {
    "EVICTED": evicted,
    "REJECTED": rejected,
    "PREEMPTED": preempted,
    "DELETED": deleted,
}
