"""Kills on a cluster: recorded in the Workflow, then done."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from riseml.cluster import pod_exec
from riseml.cluster.command_error import CommandError
from riseml.engines.argo import pod_deletion
from riseml.engines.argo.stop import stop
from riseml.errors import NotFoundError, RiseMLError, UnreachableError
from riseml.ids import Id
from tests.unit.engines.argo.fake_cluster import (
    FakeCluster,
    node_id,
    pod,
    reader,
    workflow,
)

RUNNING = {"phase": "Running"}


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the pods whose jobs get SIGTERM."""
    pods: list[str] = []
    monkeypatch.setattr(
        pod_exec, "run", lambda api, namespace, name, *_: pods.append(name)
    )
    return pods


def kill(cluster: FakeCluster, run: Id, *, force: bool = False) -> bool:
    return stop(reader(cluster), run, force=force)


def test_a_run_is_shut_down_by_argo(signals: list[str]) -> None:
    cluster = FakeCluster([workflow(RUNNING)], [pod(1)])
    assert kill(cluster, Id(number=14))
    assert cluster.calls == [
        "kill net-14 *",
        "patch net-14 {'spec': {'shutdown': 'Terminate'}}",
    ]
    assert signals == []


def test_an_experiment_of_a_set_gets_sigterm(signals: list[str]) -> None:
    cluster = FakeCluster([workflow(RUNNING, RUNNING)], [pod(2)])
    assert kill(cluster, Id(number=14, sub=2))
    assert cluster.calls == ["kill net-14 2"]
    assert signals == ["pod-2"]


class RecreatingCluster(FakeCluster):
    """A cluster whose Argo makes a deleted pod `times` times again, then notices its end."""

    times = 0

    def delete(self, path: str, **options: Any) -> None:
        super().delete(path, **options)
        (deleted,) = self.pods
        job = self.workflows[0]["status"]["nodes"][node_id(2)]
        if self.times:
            self.times -= 1
            deleted["metadata"]["uid"] += "-again"
            job["message"] = "pod deleted"
        else:
            self.pods.clear()
            job["phase"] = "Error"


DELETED = "delete pod-2 {'gracePeriodSeconds': 1}"


@pytest.mark.parametrize("times", [0, 1, 3])
def test_force_deletes_pods_until_argo_makes_no_others(
    signals: list[str], monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(pod_deletion, "_PAUSE_SECONDS", 0)
    cluster = RecreatingCluster([workflow(RUNNING, RUNNING)], [pod(2)])
    cluster.times = times
    assert kill(cluster, Id(number=14, sub=2), force=True)
    assert cluster.calls == ["kill net-14 2", *[DELETED] * (times + 1)]
    assert signals == []


def test_force_deletes_all_pods_of_a_run_at_once(signals: list[str]) -> None:
    # Argo starts nothing more of this run, so nothing is waited for.
    cluster = FakeCluster([workflow(RUNNING, RUNNING)], [pod(1), pod(2)])
    assert kill(cluster, Id(number=14), force=True)
    assert cluster.calls[2:] == ["delete pod-1 {'gracePeriodSeconds': 1}", DELETED]
    assert signals == []


def test_a_pod_is_deleted_once_argo_knows_that_it_runs(
    signals: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = RecreatingCluster([workflow(RUNNING, RUNNING)], [pod(2)])
    job = cluster.workflows[0]["status"]["nodes"][node_id(2)]
    job["phase"] = "Pending"
    looks = iter(["Pending", "Pending", "Running"])

    def look(_: float) -> None:
        if job["phase"] == "Pending":
            # Argo would make a pod again that it does not know as running.
            assert DELETED not in cluster.calls
            job["phase"] = next(looks)

    monkeypatch.setattr("riseml.engines.argo.pod_deletion.time.sleep", look)
    assert kill(cluster, Id(number=14, sub=2), force=True)
    assert (cluster.calls[-1], list(looks)) == (DELETED, [])


def test_a_job_that_waits_for_a_node_cannot_be_killed_for_good(
    signals: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_deletion, "_MOST_SECONDS", -1)
    waiting = {"phase": "Pending"}
    cluster = FakeCluster([workflow(waiting, waiting)], [pod(2, state="waiting")])
    with pytest.raises(RiseMLError, match="waits for a node") as error:
        kill(cluster, Id(number=14, sub=2), force=True)
    assert "kill the whole run" in error.value.advice
    assert cluster.calls == ["kill net-14 2", DELETED]


def test_an_ended_run_is_left_alone(signals: list[str]) -> None:
    cluster = FakeCluster([workflow({"phase": "Succeeded"}, phase="Succeeded")])
    assert not kill(cluster, Id(number=14))
    assert not kill(cluster, Id(number=14), force=True)
    cluster.pods.append(pod(1))
    assert kill(cluster, Id(number=14), force=True)
    assert [call for call in cluster.calls if call.startswith("kill")] == []


def test_a_pod_whose_container_does_not_run_is_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise UnreachableError("no container")

    monkeypatch.setattr(pod_exec, "run", fail)
    monkeypatch.setattr(pod_deletion, "_MOST_SECONDS", -1)
    cluster = FakeCluster([workflow(RUNNING, RUNNING)], [pod(2, state="waiting")])
    assert kill(cluster, Id(number=14, sub=2))
    assert cluster.calls[-1] == DELETED
    cluster.pods[:] = [pod(2)]
    with pytest.raises(RiseMLError, match="cannot reach the job in pod-2 to stop it"):
        kill(cluster, Id(number=14, sub=2))


def test_a_job_that_has_just_ended_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = FakeCluster([workflow(RUNNING, RUNNING)], [pod(2)])

    def fail(*_: Any) -> None:
        cluster.pods[:] = [pod(2, state="terminated")]
        raise CommandError(1, "container not found")

    monkeypatch.setattr(pod_exec, "run", fail)
    assert kill(cluster, Id(number=14, sub=2))
    assert cluster.calls == ["kill net-14 2"]
    # Kubernetes may call its pod running until the log is saved.
    assert kill(cluster, Id(number=14, sub=2))
    assert cluster.calls == ["kill net-14 2", "kill net-14 2"]


@pytest.mark.parametrize("minutes", [-10, 10])
def test_the_time_of_a_kill_is_the_clusters(signals: list[str], minutes: int) -> None:
    cluster = FakeCluster([workflow(RUNNING)], [pod(1)])
    time = datetime.now(UTC) + timedelta(minutes=minutes)
    cluster.clock.observe({"Date": format_datetime(time, usegmt=True)})
    assert kill(cluster, Id(number=14))
    (recorded,) = cluster.killed
    target, _, text = recorded.partition("=")
    assert target == "*"
    # Under load, the kill may come some seconds later.
    assert abs(datetime.fromisoformat(text) - time) < timedelta(minutes=2)


def test_an_unknown_experiment_is_not_found() -> None:
    cluster = FakeCluster([workflow(RUNNING, RUNNING)])
    with pytest.raises(NotFoundError, match=r"there is no experiment 14\.9"):
        kill(cluster, Id(number=14, sub=9))
    assert cluster.calls == []
