"""What pods and their events tell of a run that its document does not."""

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
    """An API server that knows pods and events, or does not answer."""

    def __init__(
        self,
        *,
        pods: list[Any] | None = None,
        events: list[Any] | None = None,
        away: bool = False,
    ) -> None:
        self.kinds, self.away = {"pods": pods or [], "events": events or []}, away
        self.asked = list[str]()

    def items(self, at: str, **query: Any) -> list[Any]:
        if self.away:
            raise UnreachableError("it is away")
        kind = at.rpartition("/")[2]
        self.asked.append(kind)
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
    cluster: Cluster, whole: SetStatus, document: dict[str, Any] | None = None
) -> tuple[str, str, str, str]:
    """Return what the experiment, and its job, say after that."""
    found = pods.explained(
        cast(Api, cluster), "riseml-me", [document or DOCUMENT], whole, NOW
    )
    (one,) = found.experiments
    (job,) = one.jobs
    return one.reason, one.message, job.reason, job.message


def ended(ago: float) -> dict[str, Any]:
    at = (NOW - timedelta(seconds=ago)).isoformat().replace("+00:00", "Z")
    return pod(
        phase="Succeeded",
        containerStatuses=[{"state": {"terminated": {"finishedAt": at}}}],
    )


def heard_of(ready: str) -> dict[str, Any]:
    running = [{"state": {"running": {}}, "ready": True}]
    return pod(
        conditions=[{"type": "Ready", "status": ready}], containerStatuses=running
    )


MOUNT = "FailedMount: MountVolume.SetUp failed for volume data: it is not a directory"
LOST = "the node gpu-3 does not answer; if it stays unreachable, Kubernetes removes the pod after some minutes"
UNNOTICED = "the job ended 25 seconds ago, but Argo's controller has not noticed; `riseml doctor` checks the controller"


@pytest.mark.parametrize(
    ("whole", "found", "events", "told"),
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
            heard_of("False"),
            [event(MOUNT, "1")],
            ("NODE_LOST", LOST),
        ),
        (run(State.RUNNING), heard_of("True"), [], ("", "")),
        (run(State.RUNNING), pod(reason="NodeLost"), [], ("NODE_LOST", LOST)),
        (run(State.RUNNING), ended(25), [], ("CONTROLLER", UNNOTICED)),
        (run(State.RUNNING), ended(5), [], ("", "")),
        (run(State.FINISHED), ended(25), [], ("", "")),
    ],
    ids=[
        "mount",
        "of another",
        "one line",
        "argo knows",
        "node lost",
        "well",
        "NodeLost",
        "unnoticed",
        "soon",
        "ended",
    ],
)
def test_a_job(
    whole: SetStatus, found: Any, events: list[Any], told: tuple[str, str]
) -> None:
    cluster = Cluster(pods=[found], events=events)
    before = whole.experiments[0]
    expected = told if any(told) else (before.jobs[0].reason, before.jobs[0].message)
    experiment = told if any(told) else (before.reason, before.message)
    assert explained(cluster, whole) == (*experiment, *expected)
    assert ("pods" in cluster.asked) == (not whole.state.is_terminal)
    assert ("events" in cluster.asked) == (before.jobs[0].reason == "PREPARE")


def test_a_long_warning_is_cut() -> None:
    cluster = Cluster(pods=[pod()], events=[event(f"Odd: {'x' * 1000}", "1")])
    assert explained(cluster, run(State.STARTING, "PREPARE"))[3] == f"Odd: {'x' * 395}…"


def test_a_cluster_that_is_away_says_nothing() -> None:
    whole = run(State.RUNNING)
    assert (
        pods.explained(
            cast(Api, Cluster(away=True)), "riseml-me", [DOCUMENT], whole, NOW
        )
        == whole
    )


@pytest.mark.parametrize(
    ("since", "reason"), [("23:59:50", ""), ("23:59:00", "CONTROLLER")]
)
def test_a_workflow_that_no_controller_takes_up(since: str, reason: str) -> None:
    document = {
        "metadata": {"name": "net-14", "creationTimestamp": f"2025-12-31T{since}Z"}
    }
    found = pods.explained(
        cast(Api, Cluster()), "riseml-me", [document], run(State.CREATED), NOW
    )
    assert found.reason == reason
    assert (
        "no Argo controller has picked up the run for 60 seconds" in found.message
    ) == bool(reason)
