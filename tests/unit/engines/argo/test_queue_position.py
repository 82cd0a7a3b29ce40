"""Where jobs that Kueue holds back stand in their queue, from recordings of a real one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from riseml.cluster.api import Api
from riseml.engines.argo import pods, queue_position
from riseml.errors import NotAllowedError, NotFoundError
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

FOLDER = Path(__file__).parents[3] / "fixtures" / "kueue"
NAMESPACE = "riseml-queue-a"


class Cluster:
    """API server with Kueue, and perhaps with its visibility server."""

    def __init__(
        self, name: str, *, positions: Any = None, may_read: bool = True
    ) -> None:
        self.recording = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
        self.positions, self.may_read = positions, may_read

    def items(self, at: str, **_: Any) -> list[Any]:
        kind = at.rpartition("/")[2]
        if kind == "workloads" and not self.may_read:
            raise NotAllowedError("workloads are forbidden")
        return list(self.recording.get(kind, []))

    def get(self, at: str) -> Any:
        if self.positions is None:
            raise NotFoundError(at)
        assert at.endswith("/localqueues/research/pendingworkloads")
        items = [
            {"metadata": {"name": name}, "positionInClusterQueue": position}
            for name, position in self.positions.items()
        ]
        return {"items": items}


def texts(cluster: Cluster) -> dict[str, str]:
    gated = cluster.recording["pods"]
    by_pod = queue_position.texts(cast(Api, cluster), NAMESPACE, gated)
    return {name.rpartition("-")[0]: text for name, text in by_pod.items()}


def test_all_jobs_of_a_gang_stand_at_the_same_place() -> None:
    first = (
        "queue research, position 1 of 2 of yours: 3 more riseml.io/test-slot needed"
    )
    second = first.replace("position 1", "position 2")
    assert texts(Cluster("waiting")) == {
        **dict.fromkeys(("gang-7-master", "gang-7-worker", "gang-7-ps"), first),
        **dict.fromkeys(("gang-8-master", "gang-8-worker", "gang-8-ps"), second),
    }


def test_jobs_of_a_grid_wait_one_by_one() -> None:
    cluster = Cluster("grid")
    found = queue_position.texts(
        cast(Api, cluster), NAMESPACE, cluster.recording["pods"]
    )
    assert sorted(text.partition(":")[0] for text in found.values()) == [
        "queue research, position 1 of 2 of yours",
        "queue research, position 2 of 2 of yours",
    ]


def test_a_visibility_server_tells_the_place_among_all() -> None:
    cluster = Cluster("waiting", positions={"gang-7-1": 4, "gang-8-1": 11})
    assert texts(cluster)["gang-7-ps"].startswith(
        "queue research, position 5 of 12 in the cluster"
    )


def test_who_may_not_read_workloads_sees_the_gates() -> None:
    assert texts(Cluster("waiting", may_read=False)) == {}


@pytest.mark.parametrize(
    ("may_read", "reason", "text"),
    [
        (True, "QUEUED", "queue research, position 1"),
        (False, "GATED", "kueue.x-k8s.io"),
    ],
)
def test_the_status_of_a_job_says_where_it_stands(
    may_read: bool, reason: str, text: str
) -> None:
    cluster = Cluster("waiting", may_read=may_read)
    (pod,) = (
        pod
        for pod in cluster.recording["pods"]
        if pod["metadata"]["name"].startswith("gang-7-ps")
    )
    node = pods.node_id_of(pod)
    job = JobStatus("7.ps", "ps", state=State.PENDING, node_id=node)
    experiment = ExperimentStatus("7", state=State.PENDING, jobs=(job,))
    run = SetStatus("7", state=State.PENDING, experiments=(experiment,))
    document = {
        "metadata": {"name": "gang-7", "creationTimestamp": "2026-11-28T15:22:58Z"},
        "status": {"phase": "Running"},
    }
    now = datetime(2026, 11, 28, 15, 24, tzinfo=UTC)
    explained = pods.explained(cast(Api, cluster), NAMESPACE, [document], run, now)
    (job,) = explained.experiments[0].jobs
    assert job.reason == reason
    assert text in job.message
