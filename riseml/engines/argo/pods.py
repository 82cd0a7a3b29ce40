"""What of a run only its pods tell, and events about them: lost nodes, volumes that are not mounted, no controller."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from riseml import labels
from riseml.cluster.api import Api, Object, path
from riseml.errors import RiseMLError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, reasons

# Argo's annotation of each pod
_NODE = "workflows.argoproj.io/node-id"
_PATIENCE = timedelta(
    seconds=20
)  # a controller that is well takes less, also with some hundred runs at once
_ACTIVE = (State.PENDING, State.STARTING, State.RUNNING)
# Characters of an event's text
_LONGEST = 400

_LOST = "the node {node} does not answer; if it stays away, Kubernetes takes the pod off it after some minutes"
_UNNOTICED = "it has ended, and Argo's controller has not noticed for {seconds} seconds; `riseml doctor` looks for it"
_UNTAKEN = "no Argo controller has taken it up for {seconds} seconds; `riseml doctor` looks for it"


class Told(NamedTuple):
    """What is known of a job beyond its document."""

    reason: str
    message: str


def explained(
    api: Api,
    namespace: str,
    documents: Sequence[Object],
    whole: SetStatus,
    now: datetime,
) -> SetStatus:
    """Return a run that says of its jobs what their pods tell; unchanged where these cannot be asked."""
    if whole.state.is_terminal:
        return whole
    waits = now - datetime.fromisoformat(documents[0]["metadata"]["creationTimestamp"])
    if not documents[0].get("status", {}).get("phase"):
        late = _UNTAKEN.format(seconds=int(waits.total_seconds()))
        return (
            replace(whole, reason=reasons.CONTROLLER, message=late)
            if waits > _PATIENCE
            else whole
        )
    active = {
        job.node_id: job for job in _jobs(whole) if job.node_id and job.state in _ACTIVE
    }
    if not active:
        return whole
    try:
        told = dict(_told(api, namespace, documents, active, now))
    except RiseMLError:
        return whole
    return _with(whole, told) if told else whole


def _jobs(whole: SetStatus) -> Iterator[JobStatus]:
    yield from whole.jobs
    for experiment in whole.experiments:
        yield from experiment.jobs


def _told(
    api: Api,
    namespace: str,
    documents: Sequence[Object],
    active: Mapping[str, JobStatus],
    now: datetime,
) -> Iterator[tuple[str, Told]]:
    names = ",".join(each["metadata"]["name"] for each in documents)
    pods = list(
        api.items(
            path("pods", namespace), labelSelector=f"{labels.WORKFLOW} in ({names})"
        )
    )
    by_node = {
        pod["metadata"].get("annotations", {}).get(_NODE, ""): pod for pod in pods
    }
    starting = {
        node: pod["metadata"]["name"] for node, pod in by_node.items() if node in active
    }
    starting = {
        node: name
        for node, name in starting.items()
        if active[node].reason == "PREPARE"
    }  # else Argo knows
    warnings = _warnings(api, namespace) if starting else {}
    for node, pod in by_node.items():
        if node in starting and starting[node] in warnings:
            yield node, _warned(active[node], warnings[starting[node]])
        elif node in active:
            yield from ((node, told) for told in _run_down(pod, now))


def _warnings(api: Api, namespace: str) -> dict[str, Object]:
    """Return the last warning about each pod."""
    found = api.items(
        path("events", namespace), fieldSelector="type=Warning,involvedObject.kind=Pod"
    )
    return {
        event["involvedObject"]["name"]: event for event in sorted(found, key=_time)
    }


def _time(event: Object) -> str:
    return str(
        event.get("lastTimestamp")
        or event.get("eventTime")
        or event.get("firstTimestamp")
        or ""
    )


def _warned(job: JobStatus, event: Object) -> Told:
    text = " ".join(f"{event.get('reason', '')}: {event.get('message', '')}".split())
    short = f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text
    return Told(reasons.waiting(text)[0] or job.reason, short)


def _run_down(pod: Object, now: datetime) -> Iterator[Told]:
    """Yield what is wrong with a pod whose job is said to run, or to wait."""
    state = pod["status"]
    if _is_lost(state):
        yield Told("NODE_LOST", _LOST.format(node=pod["spec"].get("nodeName", "?")))
    if state.get("phase") in {"Succeeded", "Failed"}:
        ended = [each["state"]["terminated"].get("finishedAt") for each in state.get("containerStatuses", ())
                 if "terminated" in each.get("state", {})]  # fmt: skip
        last = max(
            (datetime.fromisoformat(each) for each in ended if each), default=now
        )
        if now - last > _PATIENCE:
            yield Told(
                reasons.CONTROLLER,
                _UNNOTICED.format(seconds=int((now - last).total_seconds())),
            )


def _is_lost(state: Object) -> bool:
    """Whether a pod is said to run by a node that has not been heard of: only the cluster says it is not ready."""
    if state.get("phase") != "Running":
        return False
    if state.get("reason") == "NodeLost":
        return True
    ready = next(
        (
            each["status"]
            for each in state.get("conditions", ())
            if each["type"] == "Ready"
        ),
        "",
    )
    containers = state.get("containerStatuses", ())
    own = all(
        "running" in each.get("state", {}) and each.get("ready") for each in containers
    )
    return ready != "True" and bool(containers) and own


def _with(whole: SetStatus, told: Mapping[str, Told]) -> SetStatus:
    experiments = tuple(_experiment(each, told) for each in whole.experiments)
    return replace(
        whole,
        experiments=experiments,
        jobs=tuple(_job(job, told) for job in whole.jobs),
    )


def _experiment(
    experiment: ExperimentStatus, told: Mapping[str, Told]
) -> ExperimentStatus:
    first = next(
        (told[job.node_id] for job in experiment.jobs if job.node_id in told), None
    )
    if first is None:
        return experiment
    jobs = tuple(_job(job, told) for job in experiment.jobs)
    return replace(experiment, jobs=jobs, reason=first.reason, message=first.message)


def _job(job: JobStatus, told: Mapping[str, Told]) -> JobStatus:
    found = told.get(job.node_id)
    return replace(job, reason=found.reason, message=found.message) if found else job
