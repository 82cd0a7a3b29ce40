"""Explanations for jobs that wait for capacity: a quota, a node, a slot of their set."""

import re
from collections.abc import Iterator, Mapping

from riseml.diagnosis.evidence import Cause, Evidence, Explain, Subject, cause
from riseml.diagnosis.preparation import find_claim_problem
from riseml.excerpts import counted
from riseml.plan import Resources
from riseml.quantities import amount_of
from riseml.status import State

# A longer list of running experiments hides the sentence around it.
_MOST_NAMED = 5
# The message of Kubernetes' admission control.
_QUOTA = re.compile(
    r"exceeded quota: (?P<name>[\w.-]+), requested: (?P<requested>.*?), used: (?P<used>.*?), limited: (?P<hard>.*)"
)
# The scheduler counts nodes by the reason why they cannot run the pod.
_TALLY = re.compile(
    r"\d+/\d+ nodes are available: (?P<items>.*?)(?:\. (?:preemption|no new claims)|\.?$)"
)
_ITEM = re.compile(r"(?P<count>\d+) (?P<reason>.*)")
# The first text that an item contains decides.
_NODE_REASONS = {
    "volume": "that cannot reach a volume of the namespace",
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
# Names of a quota's resources in the words of riseml.yml.
_QUOTA_NAMES = {"cpu": "cpus", "memory": "mem", "count/pods": "pods"}
_STARTS_LATER = (
    "It starts by itself when other runs of yours end; `riseml status` lists them."
)


def quota(evidence: Evidence, subject: Subject) -> Cause:
    """Explain QUOTA: the namespace's quota has no room."""
    match = _QUOTA.search(subject.message)
    if match is None:
        explanation = "it is waiting for room in the quota"
        return cause(subject, explanation, [subject.message], _STARTS_LATER)
    requested = _amounts(match["requested"])
    used = _amounts(match["used"])
    limits = _amounts(match["hard"])
    request = ", ".join(
        _counted(amount, _quota_name(name)) for name, amount in requested.items()
    )
    raise_quota = (
        "An administrator can raise the quota:"
        f" `riseml user update --username {evidence.run.user} --gpus N`."
    )
    exceeded = [
        limits[name]
        for name, amount in requested.items()
        if _exceeds(amount, limits.get(name, ""))
    ]
    if exceeded:
        # Waiting does not help: the request alone is larger than the quota.
        return cause(
            subject,
            f"it requests {request}, but the quota allows no more than {', '.join(exceeded)} at all",
            [subject.message],
            "Request less under `resources` in riseml.yml.",
            raise_quota,
        )
    usage = ", ".join(
        f"{_quota_name(name)} ({used.get(name, '?')} of {limits.get(name, '?')} in use)"
        for name in requested
    )
    return cause(
        subject,
        f"it needs {request}, and the quota is used up: {usage}",
        [subject.message],
        _STARTS_LATER,
        raise_quota,
    )


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
        reasons = "; ".join(map(_node_reason, tally["items"].split(", ")))
        explanation = f"{explanation}: {reasons}"
    # The scheduler's event repeats the message of the pod.
    warnings = [line for line in evidence.warnings(subject.node) if text not in line]
    return cause(subject, explanation, [text, *warnings], *_node_advice(subject, text))


def concurrency(evidence: Evidence, subject: Subject) -> Cause:
    """Explain CONCURRENCY: other experiments of the set occupy all slots."""
    running = [
        experiment.id
        for experiment in evidence.run.experiments
        if experiment.state is not State.CREATED and not experiment.state.is_terminal
    ]
    limit = evidence.run.concurrency or 1
    explanation = f"its set runs {_counted(str(limit), 'experiments')} at a time"
    if running:
        explanation += f", now {counted(running, _MOST_NAMED)}"
    return cause(
        subject,
        explanation,
        [subject.message],
        "It starts by itself. To run more at a time, raise `concurrency` in riseml.yml and start a new run.",
    )


def _machine_full(subject: Subject, text: str) -> Cause:
    return cause(
        subject,
        text,
        [],
        "It starts by itself when other jobs end; `riseml status` lists them.",
    )


def _node_reason(item: str) -> str:
    """Return one item of the scheduler's tally in plain words."""
    match = _ITEM.fullmatch(item.strip())
    if match is None:
        return item.strip()
    nodes, reason = _counted(match["count"], "nodes"), match["reason"]
    if reason.startswith("Insufficient "):
        resource = reason.removeprefix("Insufficient ")
        return f"{nodes} without enough free {_scarce_name(resource)}"
    if "untolerated taint" in reason:
        taint = reason.partition("taint")[2].removeprefix("(s)").strip(" {}")
        suffix = f" (taint {taint})" if taint else ""
        return f"{nodes} reserved for other pods{suffix}"
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
    if "taint" in text or "affinity" in text or "selector" in text:
        yield (
            "An administrator sets node selectors and tolerations in values.yml:"
            " `riseml system upgrade -f values.yml`."
        )


def _amounts(text: str) -> dict[str, str]:
    """Return the amounts of "requests.cpu=2,pods=1" by name."""
    amounts = {}
    for pair in text.split(","):
        name, separator, amount = pair.partition("=")
        if separator:
            amounts[name] = amount
    return amounts


def _exceeds(amount: str, limit: str) -> bool:
    number, most = amount_of(amount), amount_of(limit)
    if number is None or most is None:
        return False
    return number > most


def _counted(amount: str, plural: str) -> str:
    noun = plural.removesuffix("s") if amount == "1" else plural
    return f"{amount} {noun}"


def _quota_name(resource: str) -> str:
    name = resource.removeprefix("requests.").removeprefix("limits.")
    return _QUOTA_NAMES.get(name) or _gpu_or(name)


def _scarce_name(resource: str) -> str:
    return _SCARCE.get(resource) or _gpu_or(resource)


def _gpu_or(resource: str) -> str:
    # GPUs have their vendor's name: nvidia.com/gpu.
    return "gpus" if "gpu" in resource else resource


def _request(resources: Resources) -> str:
    request = f"{resources.cpus:f} cpus, {resources.mem // 1_000_000} MB"
    if resources.gpus:
        request += f", {resources.gpus} gpus"
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
    "QUOTA": quota,
    "UNSCHEDULABLE": unschedulable,
    "CONCURRENCY": concurrency,
    "SEARCH": search,
}
