"""Explanations for jobs whose pods do not exist yet, or have no node yet.

Someone else decides: Argo, a webhook, a queue, the scheduler. Nothing is said to be about
to start while one of them reports a text that RiseML does not know.
"""

from collections.abc import Mapping

from riseml.diagnosis.evidence import (
    Cause,
    Evidence,
    Explain,
    Object,
    Subject,
    cause,
)


def not_yet_running(evidence: Evidence, subject: Subject) -> Cause:
    """Explain a job that waits without a reason that RiseML knows."""
    if subject.message:
        return cause(
            subject,
            "it is waiting, and this is all that is known about it",
            [subject.message, *evidence.warnings(subject.node)],
            "`riseml status` shows when that changes. An administrator may know what the text means.",
        )
    pod = evidence.pod_of(subject.node)
    if pod is None:
        return cause(subject, "it is about to start")
    node = pod["spec"].get("nodeName")
    if node:
        explanation = f"its node {node} has not started it yet"
    else:
        explanation = f"{_scheduler(pod)} has not chosen a node for it yet"
    return cause(subject, explanation, evidence.warnings(subject.node))


def gated(evidence: Evidence, subject: Subject) -> Cause:
    """Explain GATED: its pod has scheduling gates."""
    _, _, names = subject.message.partition(": ")
    gates = ", ".join(names.split(", ")) or "its scheduling gates"
    pod = evidence.pod_of(subject.node)
    return cause(
        subject,
        f"it is held back until something removes {gates}: usually a queue of the cluster, when it is this job's turn",
        [subject.message, *_queue_labels(pod), *evidence.warnings(subject.node)],
        "It starts by itself afterwards. If nothing on the cluster removes such gates, it never starts:"
        " an administrator knows who sets them.",
    )


def queued(evidence: Evidence, subject: Subject) -> Cause:
    """Explain QUEUED: it is not this job's turn yet in a queue of the cluster."""
    peers = subject.experiment_jobs
    whole = ""
    if len(peers) > 1:
        whole = (
            f" with the other jobs of its experiment: all {len(peers)} start together"
        )
    never = "the queue has" in subject.message
    if never:
        return cause(
            subject,
            "it waits in a queue of the cluster that is too small for it, and never starts",
            [subject.message, *evidence.warnings(subject.node)],
            "Request less under `resources` in riseml.yml, or name a larger queue: `queue: NAME`.",
        )
    return cause(
        subject,
        f"it waits for its turn in a queue of the cluster{whole}",
        [subject.message],
        "It starts by itself when jobs before it in the queue have ended; `riseml status` lists yours.",
        "A `priority` in riseml.yml lets it overtake others, if the cluster has priorities for that.",
    )


def webhook(evidence: Evidence, subject: Subject) -> Cause:
    """Explain WEBHOOK: a webhook that every pod has to pass does not answer."""
    return cause(
        subject,
        "its pod cannot be created, because a webhook of the cluster that checks pods does not answer",
        [subject.message, *evidence.warnings(subject.node)],
        "Argo keeps trying, and it starts as soon as the webhook answers.",
        "The text above names the webhook, for an administrator.",
    )


def parallelism(evidence: Evidence, subject: Subject) -> Cause:
    """Explain PARALLELISM: Argo's own limits, of Workflows or of pods in one."""
    return cause(
        subject,
        "Argo is running as many Workflows as its settings allow",
        [subject.message or evidence.run.message],
        "It starts by itself when others end: runs of yours (`riseml status`), or of others on the cluster.",
        "An administrator sets the limits: `parallelism` and `namespaceParallelism` in the ConfigMap of Argo's"
        " controller, or the namespace's label workflows.argoproj.io/parallelism-limit.",
    )


def _scheduler(pod: Object) -> str:
    name = pod["spec"].get("schedulerName", "default-scheduler")
    if name == "default-scheduler":
        return "the cluster's scheduler"
    return f"the scheduler {name}"


def _queue_labels(pod: Object | None) -> list[str]:
    """Return the labels that name a pod's queue."""
    if pod is None:
        return []
    lines = []
    for name, text in sorted(pod["metadata"].get("labels", {}).items()):
        if name.partition("/")[2] == "queue-name":
            lines.append(f"{name}: {text}")
    return lines


EXPLANATIONS: Mapping[str, Explain] = {
    "GATED": gated,
    "QUEUED": queued,
    "WEBHOOK": webhook,
    "PARALLELISM": parallelism,
}
