"""Lists of runs on a cluster: from metadata if that is enough, else from whole documents."""

import copy
import json
from typing import Any

import pytest

from riseml import labels
from riseml.engines import Query
from riseml.engines.argo.listing import COMPLETED, Listing
from riseml.errors import NotAllowedError, NotFoundError
from riseml.ids import Id
from riseml.status import SetStatus, State
from riseml.status.data import encode, to_data
from tests.unit.engines.argo.fake_cluster import (
    FakeCluster,
    FakeStore,
    reader,
    workflow,
)


def run(number: int, *, completed: str = "", **metadata: Any) -> dict[str, Any]:
    """Return the Workflow of a run; `completed` is the phase that Argo writes at the end."""
    document = copy.deepcopy(workflow({"phase": "Running"}))
    tags = document["metadata"]["labels"]
    tags[labels.NUMBER] = str(number)
    if completed:
        tags |= {COMPLETED: "true", labels.PHASE: completed}
    tags |= metadata.get("labels", {})
    document["metadata"]["annotations"] |= metadata.get("annotations", {})
    return document


def listing(cluster: FakeCluster, *archived: SetStatus) -> Listing:
    lines = [json.dumps(to_data(run), default=encode).encode() for run in archived]
    return Listing(reader(cluster, FakeStore({"/run.json": b"\n".join(lines)})))


def states(runs: list[SetStatus]) -> dict[int | None, State]:
    return {run.number: run.state for run in runs}


def test_unfinished_runs_are_listed_newest_first() -> None:
    cluster = FakeCluster([run(12), run(14), run(13, completed="Succeeded")])
    runs = listing(cluster).runs(Query())
    assert [run.number for run in runs] == [14, 12]
    assert all(not run.experiments and not run.jobs for run in runs)


def test_ended_runs_follow_from_their_phase() -> None:
    killed = {"annotations": {labels.KILLED: "*=2026-01-01T00:00:00Z"}}
    cluster = FakeCluster(
        [
            run(11, completed="Succeeded"),
            run(12, completed="Failed"),
            run(13, completed="Failed", **killed),
            run(14, completed="Failed", labels={labels.GANG: "true"}),
        ]
    )
    assert states(listing(cluster).runs(Query(all=True))) == {
        11: State.FINISHED,
        12: State.FAILED,
        # These are read in full: the documents say that they are running.
        13: State.RUNNING,
        14: State.RUNNING,
    }
    assert [run.number for run in listing(cluster).runs(Query(all=True, last=2))] == [
        14,
        13,
    ]


def test_archived_runs_without_a_workflow_are_listed() -> None:
    archived = [
        SetStatus("12", user="me", project="net", number=12, state=State.FINISHED),
        SetStatus("14", user="me", project="net", number=14, state=State.FAILED),
    ]
    cluster = FakeCluster([run(14, completed="Succeeded")])
    runs = listing(cluster, *archived).runs(Query(all=True))
    assert states(runs) == {14: State.FINISHED, 12: State.FINISHED}
    assert listing(cluster, *archived).latest() == Id(number=14)
    assert listing(FakeCluster(), archived[0]).latest("net") == Id(number=12)


def test_there_may_be_no_runs() -> None:
    with pytest.raises(NotFoundError, match="there are no experiments yet"):
        listing(FakeCluster()).latest()


def test_experiments_are_included_if_asked_for() -> None:
    cluster = FakeCluster([run(14)])
    (status,) = listing(cluster).runs(Query(experiments=True))
    assert [experiment.id for experiment in status.experiments] == ["14.1"]


def test_a_cache_that_lacks_the_newest_run_is_not_used() -> None:
    cluster = FakeCluster([run(14)], cached=[])
    listed = listing(cluster)
    assert listed._workflows.metadata("riseml-me") == cluster.workflows


def test_other_users_may_be_forbidden() -> None:
    cluster = FakeCluster(forbidden="riseml-you")
    with pytest.raises(NotAllowedError, match="you may not see you's experiments"):
        listing(cluster).runs(Query(user="you"))
