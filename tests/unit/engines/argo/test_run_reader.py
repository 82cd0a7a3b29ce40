"""Runs as Workflows, pods and the archive together describe them."""

import json
from typing import Any

import pytest

from riseml.engines.argo import archive, run_reader
from riseml.errors import NotAllowedError, NotFoundError, UnreachableError
from riseml.ids import Id
from riseml.status import State
from riseml.status.data import encode, to_data
from tests.unit.engines.argo.fake_cluster import (
    FakeCluster,
    FakeStore,
    reader,
    workflow,
)

RUN = Id(number=14)
ENDED = {"phase": "Succeeded", "finishedAt": "2026-01-01T00:02:00Z"}


def ended() -> dict[str, Any]:
    return workflow({"phase": "Succeeded"}, version=2, **ENDED)


def test_an_ended_run_is_archived_once() -> None:
    store, cluster = FakeStore(), FakeCluster([ended()])
    run = reader(cluster, store).read(RUN)
    assert run.state is State.FINISHED
    assert [call.split(" ")[:2] for call in cluster.calls] == [["patch", "net-14"]]
    assert "ttlStrategy" in cluster.calls[0]
    cluster.workflows[0]["metadata"]["annotations"][archive.ARCHIVED] = "yes"
    reader(cluster, store).read(RUN)
    assert len(cluster.calls) == 1


def test_a_run_without_a_workflow_comes_from_the_archive() -> None:
    run = reader(FakeCluster([ended()])).read(RUN)
    line = json.dumps(to_data(run), default=encode).encode()
    store = FakeStore({'"$2"/run.json': line + b"\n"})
    assert reader(FakeCluster(), store).read_with_documents(RUN) == (run, [])


def test_an_unknown_run_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="there is no run 14"):
        reader(FakeCluster()).read(RUN)


def test_a_run_that_the_cache_lacks_is_read_from_the_database() -> None:
    cluster = FakeCluster([ended()], cached=[])
    assert reader(cluster).read(RUN).state is State.FINISHED


def test_other_users_runs_may_be_forbidden() -> None:
    cluster = FakeCluster([ended()], forbidden="riseml-you")
    with pytest.raises(NotAllowedError, match="you may not see you's experiments"):
        reader(cluster).read(Id("you", 14))


def test_the_own_runs_may_be_forbidden_to_somebody_who_is_disabled() -> None:
    namespace = reader(FakeCluster()).workflows.namespace
    cluster = FakeCluster([ended()], forbidden=namespace)
    with pytest.raises(NotAllowedError) as caught:
        reader(cluster).read(Id(None, 14))
    # The cluster's own reason, and nothing about the experiments of somebody else.
    assert "experiments" not in str(caught.value)


def test_each_change_is_yielded_until_the_end() -> None:
    running = workflow({"phase": "Running"})
    cluster = FakeCluster(
        [running],
        watched=[("BOOKMARK", {}), ("MODIFIED", ended())],
    )
    follower = reader(cluster).follow(RUN)
    assert [next(follower).state for _ in range(2)] == [State.RUNNING, State.FINISHED]


def test_an_outdated_watch_starts_again() -> None:
    cluster = FakeCluster([workflow({"phase": "Running"})], watched=[("ERROR", {})])
    follower = reader(cluster).follow(RUN)
    assert [next(follower).state for _ in range(2)] == [State.RUNNING, State.RUNNING]


def test_a_deleted_workflow_ends_with_the_archived_run() -> None:
    run = reader(FakeCluster([ended()])).read(RUN)
    line = json.dumps(to_data(run), default=encode).encode()
    cluster = FakeCluster([workflow({"phase": "Running"})])
    cluster.watched = [("DELETED", cluster.workflows[0])]
    follower = reader(cluster, FakeStore({'"$2"/run.json': line})).follow(RUN)
    assert next(follower).state is State.RUNNING
    cluster.workflows.clear()
    assert [status.state for status in follower] == [State.FINISHED]


def test_a_short_outage_is_survived_and_a_long_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_reader, "_RETRY_SECONDS", 0.0)
    runs = reader(FakeCluster([workflow({"phase": "Running"})]))
    documents, failures = runs.workflows.documents, [UnreachableError("away")] * 3

    def fail_first(run: Id) -> Any:
        if failures:
            raise failures.pop()
        return documents(run)

    monkeypatch.setattr(runs.workflows, "documents", fail_first)
    assert next(runs.follow(RUN)).state is State.RUNNING
    monkeypatch.setattr(run_reader, "_OUTAGE_SECONDS", -1.0)
    failures.append(UnreachableError("away"))
    with pytest.raises(UnreachableError):
        next(runs.follow(RUN))
