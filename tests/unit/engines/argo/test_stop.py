"""Kills on a cluster: recorded in the Workflow, then done."""

from typing import Any

import pytest

from riseml.cluster import pod_exec
from riseml.engines.argo.stop import stop
from riseml.errors import NotFoundError, RiseMLError, UnreachableError
from riseml.ids import Id
from tests.unit.engines.argo.fake_cluster import FakeCluster, pod, reader, workflow

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


def test_force_deletes_pods(signals: list[str]) -> None:
    cluster = FakeCluster([workflow(RUNNING, RUNNING)], [pod(2)])
    assert kill(cluster, Id(number=14, sub=2), force=True)
    assert cluster.calls == [
        "kill net-14 2",
        "delete pod-2 {'gracePeriodSeconds': 0}",
    ]
    assert signals == []


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
    cluster = FakeCluster([workflow(RUNNING, RUNNING)], [pod(2, state="waiting")])
    assert kill(cluster, Id(number=14, sub=2))
    assert cluster.calls[-1] == "delete pod-2 {}"
    cluster.pods[:] = [pod(2)]
    with pytest.raises(RiseMLError, match="cannot reach the job in pod-2 to stop it"):
        kill(cluster, Id(number=14, sub=2))


def test_a_job_that_has_just_ended_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = FakeCluster([workflow(RUNNING, RUNNING)], [pod(2)])

    def fail(*_: Any) -> None:
        cluster.pods[:] = [pod(2, state="terminated")]
        raise pod_exec.CommandError(1, "container not found")

    monkeypatch.setattr(pod_exec, "run", fail)
    assert kill(cluster, Id(number=14, sub=2))
    assert cluster.calls == ["kill net-14 2"]
    # Kubernetes may call its pod running until the log is saved.
    assert kill(cluster, Id(number=14, sub=2))
    assert cluster.calls == ["kill net-14 2", "kill net-14 2"]


def test_an_unknown_experiment_is_not_found() -> None:
    cluster = FakeCluster([workflow(RUNNING, RUNNING)])
    with pytest.raises(NotFoundError, match=r"there is no experiment 14\.9"):
        kill(cluster, Id(number=14, sub=9))
    assert cluster.calls == []
