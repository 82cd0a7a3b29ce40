"""Explanations that pods and their events give for a run, which its document lacks."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from riseml.cluster.api import Api
from riseml.engines.argo import pods
from riseml.errors import UnreachableError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "metadata": {"name": "net-14", "creationTimestamp": "2025-12-31T23:59:00Z"},
    "status": {"phase": "Running"},
}


class Cluster:
    """API server with pods and events, or one that does not answer."""

    def __init__(
        self,
        *,
        pods: list[Any] | None = None,
        events: list[Any] | None = None,
        away: bool = False,
    ) -> None:
        self.kinds, self.away = {"pods": pods or [], "events": events or []}, away
        self.requests = list[str]()

    def items(self, at: str, **query: Any) -> list[Any]:
        if self.away:
            raise UnreachableError("it is away")
        kind = at.rpartition("/")[2]
        self.requests.append(kind)
        return self.kinds[kind]


def run(state: State, reason: str = "") -> SetStatus:
    job = JobStatus(
        "14.train",
        "train",
        state=state,
        reason=reason,
        message="ContainerCreating",
        node_id="net-14-7",
    )
    return SetStatus(
        "14",
        state=state,
        experiments=(ExperimentStatus("14", state=state, jobs=(job,)),),
    )


def pod(**state: Any) -> dict[str, Any]:
    annotations = {"workflows.argoproj.io/node-id": "net-14-7"}
    metadata = {"name": "net-14-train-7", "annotations": annotations}
    return {
        "metadata": metadata,
        "spec": {"nodeName": "gpu-3"},
        "status": {"phase": "Running", **state},
    }


def event(text: str, time: str, name: str = "net-14-train-7") -> dict[str, Any]:
    reason, _, message = text.partition(": ")
    return {
        "involvedObject": {"name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": time,
    }


def explained(
    cluster: Cluster, status: SetStatus, document: dict[str, Any] | None = None
) -> tuple[str, str, str, str]:
    """Return the explanations of the experiment and of its job."""
    result = pods.explained(
        cast(Api, cluster), "riseml-me", [document or DOCUMENT], status, NOW
    )
    (experiment,) = result.experiments
    (job,) = experiment.jobs
    return experiment.reason, experiment.message, job.reason, job.message


def ended(ago: float) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=ago)).isoformat().replace("+00:00", "Z")
    return pod(
        phase="Succeeded",
        containerStatuses=[{"state": {"terminated": {"finishedAt": at}}}],
    )


def with_node_ready(ready: str) -> dict[str, Any]:
    running = [{"state": {"running": {}}, "ready": True}]
    return pod(
        conditions=[{"type": "Ready", "status": ready}], containerStatuses=running
    )


MOUNT = "FailedMount: MountVolume.SetUp failed for volume data: it is not a directory"
LOST = "the node gpu-3 does not answer; if it stays unreachable, Kubernetes removes the pod after some minutes"
UNNOTICED = "the job ended 25 seconds ago, but Argo's controller has not noticed; `riseml doctor` checks the controller"


@pytest.mark.parametrize(
    ("status", "job_pod", "events", "explanation"),
    [
        (
            run(State.STARTING, "PREPARE"),
            pod(),
            [event(MOUNT, "2"), event("Other: x", "1")],
            ("CONFIG", MOUNT),
        ),
        (
            run(State.STARTING, "PREPARE"),
            pod(),
            [event(MOUNT, "2", "another-pod")],
            ("", ""),
        ),
        (
            run(State.STARTING, "PREPARE"),
            pod(),
            [event("Odd: line\nbreak", "1")],
            ("PREPARE", "Odd: line break"),
        ),
        (
            run(State.STARTING, "IMAGE"),
            pod(),
            [event("Failed: Error: ImagePullBackOff", "2")],
            ("", ""),
        ),
        (
            run(State.RUNNING),
            with_node_ready("False"),
            [event(MOUNT, "1")],
            ("NODE_LOST", LOST),
        ),
        (run(State.RUNNING), with_node_ready("True"), [], ("", "")),
        (run(State.RUNNING), pod(reason="NodeLost"), [], ("NODE_LOST", LOST)),
        (run(State.RUNNING), ended(25), [], ("CONTROLLER", UNNOTICED)),
        (run(State.RUNNING), ended(5), [], ("", "")),
        (run(State.FINISHED), ended(25), [], ("", "")),
    ],
    ids=[
        "mount",
        "another pod",
        "one line",
        "Argo has the reason",
        "node lost",
        "healthy",
        "NodeLost",
        "end not noticed",
        "just ended",
        "ended",
    ],
)
def test_a_job_is_explained(
    status: SetStatus, job_pod: Any, events: list[Any], explanation: tuple[str, str]
) -> None:
    cluster = Cluster(pods=[job_pod], events=events)
    experiment = status.experiments[0]
    job = experiment.jobs[0]
    expected = (experiment.reason, experiment.message, job.reason, job.message)
    if any(explanation):
        expected = (*explanation, *explanation)
    assert explained(cluster, status) == expected
    assert ("pods" in cluster.requests) == (not status.state.is_terminal)
    assert ("events" in cluster.requests) == (job.reason == "PREPARE")


def test_a_long_warning_is_shortened() -> None:
    cluster = Cluster(pods=[pod()], events=[event(f"Odd: {'x' * 1000}", "1")])
    assert explained(cluster, run(State.STARTING, "PREPARE"))[3] == f"Odd: {'x' * 395}…"


def test_a_run_is_unchanged_if_the_cluster_does_not_answer() -> None:
    status = run(State.RUNNING)
    assert (
        pods.explained(
            cast(Api, Cluster(away=True)), "riseml-me", [DOCUMENT], status, NOW
        )
        == status
    )


@pytest.mark.parametrize(
    ("since", "reason"), [("23:59:50", ""), ("23:59:00", "CONTROLLER")]
)
def test_a_workflow_that_no_controller_picks_up(since: str, reason: str) -> None:
    document = {
        "metadata": {"name": "net-14", "creationTimestamp": f"2025-12-31T{since}Z"}
    }
    result = pods.explained(
        cast(Api, Cluster()), "riseml-me", [document], run(State.CREATED), NOW
    )
    assert result.reason == reason
    assert (
        "no Argo controller has picked up the run for 60 seconds" in result.message
    ) == bool(reason)
