"""Explanations for jobs that wait for capacity: a node, a slot of their set."""

import re
from collections.abc import Iterator, Mapping, Sequence

from riseml.diagnosis import node_taints
from riseml.diagnosis.evidence import Cause, Evidence, Explain, Subject, cause
from riseml.diagnosis.preparation import find_claim_problem
from riseml.excerpts import counted
from riseml.gpu_request import kind_text
from riseml.gpus.gpu import IN_USE
from riseml.plan import Resources
from riseml.quantities import noun_of, with_noun
from riseml.status import ExperimentStatus, State
from riseml.status.reasons import RELEASED

# A longer list of running experiments hides the sentence around it.
_MOST_NAMED = 5
# The scheduler counts nodes by the reason why they cannot run the pod.
_TALLY = re.compile(
    r"\d+/\d+ nodes are available: (?P<items>.*?)(?:\. (?:preemption|no new claims)|\.?$)"
)
_ITEM = re.compile(r"(?P<count>\d+) (?P<reason>.*)")
# The first text that an item contains decides.
_NODE_REASONS = {
    "volume": "that cannot reach a volume of the namespace",
    "pod affinity": "other than that of your volumes",
    "affinity": "not among those that the cluster's settings choose",
    "selector": "not among those that the cluster's settings choose",
    "unschedulable": "closed by an administrator",
}
_SCARCE = {
    "cpu": "cpus",
    "memory": "mem",
    "ephemeral-storage": "disk space",
    "pods": "pod slots",
}


def unschedulable(evidence: Evidence, subject: Subject) -> Cause:
    """Explain UNSCHEDULABLE: no node has room, or this machine has none."""
    text = subject.message.removeprefix("Unschedulable: ")
    if not evidence.has_cluster:
        return _machine_full(subject, text)
    claim_problem = find_claim_problem(evidence, subject, text)
    if claim_problem is not None:
        return claim_problem
    explanation = "no node can run it"
    tally = _TALLY.search(text)
    if tally is not None:
        items = tally["items"].split(", ")
        reasons = "; ".join(_node_reason(item, subject) for item in items)
        explanation = f"{explanation}: {reasons}"
    # The scheduler's event repeats the message of the pod.
    warnings = [line for line in evidence.warnings(subject.node) if text not in line]
    return cause(subject, explanation, [text, *warnings], *_node_advice(subject, text))


def concurrency(evidence: Evidence, subject: Subject) -> Cause:
    """Explain CONCURRENCY: other experiments of the set occupy all slots."""
    running = [
        experiment.id for experiment in filter(_is_active, evidence.run.experiments)
    ]
    limit = evidence.run.concurrency
    has_room = limit is None or len(running) < limit
    if evidence.has_cluster and has_room:
        return _limited_by_argo(subject, running, limit)
    explanation = f"its set runs {with_noun(str(limit or 1), 'experiments')} at a time"
    if running:
        explanation += f", now {counted(running, _MOST_NAMED)}"
    return cause(
        subject,
        explanation,
        [subject.message],
        "It starts by itself. To run more at a time, raise `concurrency` in riseml.yml and start a new run.",
    )


def _is_active(experiment: ExperimentStatus) -> bool:
    has_begun = experiment.state is not State.CREATED
    return has_begun and not experiment.state.is_terminal


def _limited_by_argo(
    subject: Subject, running: Sequence[str], limit: int | None
) -> Cause:
    most = "all" if limit is None else str(limit)
    lines = [f"running now: {counted(running, _MOST_NAMED)}"] if running else []
    return cause(
        subject,
        f"Argo has not started it yet, although its set may run {with_noun(most, 'experiments')} at a time",
        [subject.message, *lines],
        "It usually starts within seconds, or else when others of its set end.",
        "An administrator may have set `parallelism` in the workflow defaults of Argo's controller.",
    )


def released(_: Evidence, subject: Subject) -> Cause:
    """Explain RELEASED: a gang that got only some of its resources gave them back."""
    return cause(
        subject,
        "only some jobs of its experiment got resources within its `gang_timeout`, so they gave them back for others",
        [subject.message.removeprefix(RELEASED)],
        "They start again by themselves when there is room for all of them, and no wait fails the run.",
        "Jobs that all fit start sooner: request less under `resources` in riseml.yml.",
    )


def _machine_full(subject: Subject, text: str) -> Cause:
    advice = "It starts by itself when other jobs end; `riseml status` lists them."
    if IN_USE in text:
        advice = (
            "It starts by itself when a GPU is free. After `riseml config set gpus.shared_with_others true`,"
            " new runs also get GPUs that others use."
        )
    return cause(subject, text, [], advice)


def _node_reason(item: str, subject: Subject) -> str:
    """Return one item of the scheduler's tally in plain words."""
    match = _ITEM.fullmatch(item.strip())
    if match is None:
        return item.strip()
    nodes, reason = with_noun(match["count"], "nodes"), match["reason"]
    if reason.startswith("Insufficient "):
        resource = reason.removeprefix("Insufficient ")
        return f"{nodes} without enough free {noun_of(resource, _SCARCE)}"
    taint = node_taints.described(reason)
    if taint:
        return f"{nodes} {taint}"
    if "affinity/selector" in reason and _gpu_kind(subject):
        return f"{nodes} without the GPU that it requests: {_gpu_kind(subject)}"
    for text, description in _NODE_REASONS.items():
        if text in reason:
            return f"{nodes} {description}"
    return f"{nodes}: {reason.removeprefix('node(s) ')}"


def _node_advice(subject: Subject, text: str) -> Iterator[str]:
    if "Insufficient" in text:
        request = ""
        if subject.resources is not None:
            request = f"It requests {_request(subject.resources)} on one node. "
        yield f"{request}If no node is that large, it never starts: request less under `resources` in riseml.yml."
        # A user has no right to list nodes.
        yield (
            "Otherwise it starts by itself when other jobs end;"
            " administrators see what is free with `riseml system info`."
        )
    if "affinity/selector" in text and _gpu_kind(subject):
        yield (
            "If no node has such a GPU, it never starts: change gpu_type or gpu_mem under `resources`."
            " Administrators see all GPUs with `riseml system info -g`."
        )
        return
    advice = node_taints.advice(text)
    if advice:
        yield advice
    elif "affinity" in text or "selector" in text:
        yield node_taints.SETTINGS_ADVICE


def _gpu_kind(subject: Subject) -> str:
    """Return which GPUs a job requests beside their number, "" if it takes any."""
    if subject.resources is None:
        return ""
    return kind_text(subject.resources)


def _request(resources: Resources) -> str:
    request = f"{resources.cpus:f} cpus, {resources.mem // 1_000_000} MB"
    if resources.gpus:
        request += f", {resources.gpus} gpus {kind_text(resources)}".rstrip()
    return request


def search(evidence: Evidence, subject: Subject) -> Cause:
    """Explain SEARCH: its parameters follow from results that are not there yet."""
    if subject.state.is_terminal:
        return cause(
            subject,
            "the search could not choose its parameters",
            [subject.message, *evidence.log(subject.job)],
            f"`riseml logs {subject.job}` shows the full log.",
        )
    running = [job for job in evidence.run.jobs if job.state is State.RUNNING]
    return cause(
        subject,
        "the search chooses its parameters from the results of the experiments before it",
        [f"{job.id} runs" for job in running],
        "It continues by itself when these have ended.",
    )


EXPLANATIONS: Mapping[str, Explain] = {
    "UNSCHEDULABLE": unschedulable,
    "CONCURRENCY": concurrency,
    "RELEASED": released,
    "SEARCH": search,
}
