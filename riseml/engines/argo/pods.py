"""Explanations of a run's jobs from its pods and events, for what its Workflow does not say.

Only pods show that a node is lost or that the controller has not noticed an end; only
events show that a volume cannot be mounted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from riseml import conditions, events, labels
from riseml.cluster.api import Api, Object, name_of, path
from riseml.dataclass import replace
from riseml.engines.argo import pod_disruption, pod_placement, queue_position
from riseml.errors import RiseMLError
from riseml.status import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    State,
    reason_words,
    reasons,
)

# A healthy controller takes less time, even with some hundred active runs.
_CONTROLLER_DELAY = timedelta(seconds=20)
_ACTIVE = (State.PENDING, State.STARTING, State.RUNNING)
_MAX_MESSAGE_LENGTH = 400

_NODE_LOST = (
    "the node {node} does not answer; "
    "if it stays unreachable, Kubernetes removes the pod after some minutes"
)
_NOT_NOTICED = (
    "the job ended {seconds} seconds ago, but Argo's controller has not noticed; "
    "`riseml doctor` checks the controller"
)
_NOT_STARTED = (
    "no Argo controller has picked up the run for {seconds} seconds; "
    "`riseml doctor` checks the controller"
)


class Explanation(NamedTuple):
    """What pods and events say about a job: a reason as in `status.reasons`, and a text."""

    reason: str
    message: str


def explained(
    api: Api,
    namespace: str,
    documents: Sequence[Object],
    run: SetStatus,
    now: datetime,
) -> SetStatus:
    """Return a run with the explanations that pods and events give for its jobs.

    The run is returned unchanged if the cluster does not answer.
    """
    if run.state.is_terminal:
        return run
    first = documents[0]
    if not first.get("status", {}).get("phase"):
        return _without_controller(run, first, now)
    active = {job.node_id: job for job in _jobs(run) if job.state in _ACTIVE}
    # Jobs have no node before Argo has created one.
    active.pop("", None)
    if not active:
        return run
    try:
        explanations = dict(_explanations(api, namespace, documents, active, now))
    except RiseMLError:
        return run
    return _with(run, explanations)


def _without_controller(run: SetStatus, document: Object, now: datetime) -> SetStatus:
    """Return a run whose Workflow has no phase yet, explained if that takes too long."""
    age = now - datetime.fromisoformat(document["metadata"]["creationTimestamp"])
    if age <= _CONTROLLER_DELAY:
        return run
    message = _NOT_STARTED.format(seconds=int(age.total_seconds()))
    return replace(run, reason=reason_words.CONTROLLER, message=message)


def _jobs(run: SetStatus) -> Iterator[JobStatus]:
    yield from run.jobs
    for experiment in run.experiments:
        yield from experiment.jobs


def _explanations(
    api: Api,
    namespace: str,
    documents: Sequence[Object],
    active: Mapping[str, JobStatus],
    now: datetime,
) -> Iterator[tuple[str, Explanation]]:
    """Yield explanations of active jobs, each with the id of the job's node."""
    pods = {}
    for pod in _pods(api, namespace, documents):
        node_id = node_id_of(pod)
        if node_id in active:
            pods[node_id] = pod
    # Only while a pod is prepared do its events say more than the Workflow.
    is_preparing = any(active[node_id].reason == "PREPARE" for node_id in pods)
    warnings = _warnings(api, namespace) if is_preparing else {}
    standings = queue_position.texts(api, namespace, pods.values())
    for node_id, pod in pods.items():
        pod_name = pod["metadata"]["name"]
        job = active[node_id]
        explanation = (
            _from_warning(job, warnings.get(pod_name))
            or _from_queue(standings.get(pod_name))
            or _from_scheduling(job, pod)
            or _from_pod(pod, now)
        )
        if explanation is not None:
            yield node_id, explanation


def node_id_of(pod: Object) -> str:
    """Return the id of the node that a pod belongs to, empty for a pod of no Workflow."""
    return str(pod["metadata"].get("annotations", {}).get(labels.NODE_ID, ""))


def _pods(api: Api, namespace: str, documents: Sequence[Object]) -> Iterator[Object]:
    """Yield the pods of Workflows."""
    names = map(name_of, documents)
    selector = f"{labels.WORKFLOW} in ({','.join(names)})"
    pods = path("pods", namespace)
    yield from api.items(pods, labelSelector=selector)


def _warnings(api: Api, namespace: str) -> dict[str, Object]:
    """Return the last warning about each pod, by the pod's name."""
    listed = api.items(
        path("events", namespace), fieldSelector="type=Warning,involvedObject.kind=Pod"
    )
    warnings = {}
    for event in sorted(listed, key=events.time_of):
        warnings[event["involvedObject"]["name"]] = event
    return warnings


def _from_warning(job: JobStatus, event: Object | None) -> Explanation | None:
    """Return what an event says about a pod that is being prepared."""
    if event is None or job.reason != "PREPARE":
        return None
    text = events.line_of(event)
    reason = reasons.waiting(text)[0] or job.reason
    return Explanation(reason, _shortened(text))


def _shortened(text: str) -> str:
    if len(text) <= _MAX_MESSAGE_LENGTH:
        return text
    return f"{text[:_MAX_MESSAGE_LENGTH]}…"


def _from_queue(standing: str | None) -> Explanation | None:
    return Explanation(reason_words.QUEUED, standing) if standing is not None else None


def _from_scheduling(job: JobStatus, pod: Object) -> Explanation | None:
    """Return what keeps a pod from a node, if Argo has not said it yet."""
    obstacle = pod_placement.obstacle(pod)
    if job.reason or not obstacle:
        return None
    reason, _ = reasons.waiting(obstacle)
    return Explanation(reason, _shortened(obstacle))


def _from_pod(pod: Object, now: datetime) -> Explanation | None:
    """Return what is wrong with the pod of a job that, says Argo, is active."""
    status = pod["status"]
    if status.get("phase") in {"Succeeded", "Failed"}:
        age = now - _end_time(status, now)
        if age > _CONTROLLER_DELAY:
            message = _NOT_NOTICED.format(seconds=int(age.total_seconds()))
            return Explanation(reason_words.CONTROLLER, message)
    if _is_node_lost(pod):
        node = pod["spec"].get("nodeName", "?")
        return Explanation("NODE_LOST", _NODE_LOST.format(node=node))
    disruption = pod_disruption.disruption(pod)
    return Explanation(*disruption) if disruption else None


def _end_time(status: Object, default: datetime) -> datetime:
    """Return when the last container of a pod ended."""
    times = []
    for container in status.get("containerStatuses", ()):
        terminated = container.get("state", {}).get("terminated", {})
        if terminated.get("finishedAt"):
            times.append(datetime.fromisoformat(terminated["finishedAt"]))
    return max(times, default=default)


def _is_node_lost(pod: Object) -> bool:
    """Return whether the node of a running pod no longer reports to the cluster.

    Kubernetes then calls the pod not ready while its containers, as last reported, are.
    """
    status = pod["status"]
    if status.get("phase") != "Running":
        return False
    if status.get("reason") == "NodeLost":
        return True
    containers = status.get("containerStatuses", ())
    if not containers or conditions.is_true(pod, "Ready"):
        return False
    return all(
        "running" in container.get("state", {}) and container.get("ready")
        for container in containers
    )


def _with(run: SetStatus, explanations: Mapping[str, Explanation]) -> SetStatus:
    experiments = []
    for experiment in run.experiments:
        experiments.append(_explain_experiment(experiment, explanations))
    jobs = _explain_jobs(run.jobs, explanations)
    return replace(run, experiments=tuple(experiments), jobs=jobs)


def _explain_experiment(
    experiment: ExperimentStatus, explanations: Mapping[str, Explanation]
) -> ExperimentStatus:
    for job in experiment.jobs:
        # The first explained job also explains its experiment.
        if job.node_id in explanations:
            reason, message = explanations[job.node_id]
            jobs = _explain_jobs(experiment.jobs, explanations)
            return replace(experiment, jobs=jobs, reason=reason, message=message)
    return experiment


def _explain_jobs(
    jobs: Sequence[JobStatus], explanations: Mapping[str, Explanation]
) -> tuple[JobStatus, ...]:
    explained_jobs = []
    for job in jobs:
        reason, message = explanations.get(job.node_id, (job.reason, job.message))
        explained_jobs.append(replace(job, reason=reason, message=message))
    return tuple(explained_jobs)
