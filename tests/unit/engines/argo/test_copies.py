"""Copies of a run that `argo resubmit` makes: they have its number, and are no part of it."""

import copy
from typing import Any

from riseml.engines import Query
from riseml.engines.argo.listing import Listing
from riseml.ids import Id
from riseml.status import State
from tests.unit.engines.argo.fake_cluster import (
    FakeCluster,
    reader,
    workflow,
)

RUN = Id(number=14)


def with_copy() -> FakeCluster:
    """Return a cluster with a run that finished, and a copy of it that failed."""
    original = workflow({"phase": "Succeeded", "code": 0}, phase="Succeeded")
    resubmitted: dict[str, Any] = copy.deepcopy(original)
    resubmitted["metadata"]["name"] = "net-14-x7k2p"
    label = "workflows.argoproj.io/resubmitted-from-workflow"
    resubmitted["metadata"]["labels"][label] = "net-14"
    resubmitted["status"]["phase"] = "Failed"
    return FakeCluster([original, resubmitted])


def test_a_copy_adds_no_experiments_to_the_run() -> None:
    run, documents = reader(with_copy()).read_with_documents(RUN)
    assert (run.name, run.state, len(run.experiments)) == (
        "net-14",
        State.FINISHED,
        1,
    )
    # `delete` deletes these.
    assert [document["metadata"]["name"] for document in documents] == ["net-14"]


def test_a_copy_is_not_listed() -> None:
    runs = Listing(reader(with_copy())).runs(Query(all=True))
    assert [(run.number, run.name) for run in runs] == [(14, "net-14")]
