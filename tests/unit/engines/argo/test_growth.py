"""Runs that got further Workflows on a cluster: read, listed, killed and added to, also after some are gone."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from riseml import labels, status
from riseml.cluster import pod_exec
from riseml.cluster.api import Api
from riseml.cluster.api_errors import ConflictError
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.compiler.cache import DocumentCache
from riseml.engines import Chunk, Growth, LogQuery, Query, Submission
from riseml.engines.argo import archive, logs, shards, submit
from riseml.engines.argo.listing import Listing
from riseml.engines.argo.stop import stop
from riseml.engines.argo.workflows import names_of, run_selector
from riseml.errors import ChangedMeanwhileError
from riseml.ids import Id
from riseml.plan import Experiment
from riseml.status import State
from riseml.status.shards import merged
from tests.unit.engines.argo.fake_cluster import (
    NAMESPACE,
    FakeCluster,
    FakeLog,
    FakeStore,
    pod,
    reader,
)
from tests.unit.plans import grid

FIXTURES = Path(__file__).parents[3] / "fixtures" / "shards"
RUN = Id(number=2)
RECORD = "run.json"


def recorded(name: str) -> dict[str, Any]:
    """Return a recorded Workflow as the API server of the tests has it."""
    document = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    document["metadata"]["namespace"] = NAMESPACE
    return cast("dict[str, Any]", document)


def archived() -> FakeStore:
    line = json.dumps(json.loads((FIXTURES / RECORD).read_text("utf-8"))).encode()
    return FakeStore({"/run.json": line + b"\n"})


def running(name: str) -> dict[str, Any]:
    """Return a recorded Workflow before any of its experiments has started."""
    document = recorded(name)
    document["status"] = {"phase": "Running", "nodes": {}}
    document["metadata"]["labels"].pop("workflows.argoproj.io/completed", None)
    document["metadata"]["annotations"].pop(archive.ARCHIVED, None)
    return document


def all_workflows() -> list[dict[str, Any]]:
    return [recorded(name) for name in ("grow-2", "grow-2-s2", "grow-2-s3")]


@pytest.mark.parametrize("left", [[0, 1, 2], [1, 2], [0, 2], [2], [0], [1]])
def test_the_archive_completes_what_is_left_of_the_workflows(left: list[int]) -> None:
    workflows = all_workflows()
    run = reader(FakeCluster([workflows[n] for n in left]), archived()).read(RUN)
    assert [experiment.state for experiment in run.experiments] == [
        State.FINISHED,
        State.FAILED,
        State.FINISHED,
    ]
    assert [shard.index for shard in run.shards] == [1, 2, 3]
    (job,) = run.experiments[1].jobs
    assert [attempt.attempt for attempt in job.attempts] == [0, 1]


def test_without_any_workflow_the_archive_is_all() -> None:
    run = reader(FakeCluster(), archived()).read(RUN)
    assert (run.state, len(run.experiments)) == (State.FAILED, 3)


def test_a_workflow_that_was_just_added_counts_although_older_ones_are_gone() -> None:
    cluster = FakeCluster([running("grow-2-s3")])
    # The archive was written before it was added.
    earlier = merged([status.read(document) for document in all_workflows()[:2]])
    record = json.loads((FIXTURES / RECORD).read_text("utf-8"))
    record["shards"] = record["shards"][:2]
    record["experiments"][1]["shard"] = 1
    store = FakeStore({"/run.json": json.dumps(record).encode() + b"\n"})
    run = reader(cluster, store).read(RUN)
    assert earlier.state is State.FAILED
    assert run.state is State.RUNNING
    assert [shard.index for shard in run.shards] == [1, 2, 3]
    assert run.experiments[1].shard == 3


def test_lists_do_not_take_one_of_several_workflows_for_the_run() -> None:
    # The only one that is left has succeeded, but the set has failed.
    cluster = FakeCluster([recorded("grow-2-s2")])
    (run,) = Listing(reader(cluster, archived())).runs(Query(all=True))
    assert run.state is State.FAILED


def test_the_metadata_says_whether_workflows_are_missing() -> None:
    first, second, third = all_workflows()
    assert shards.are_complete([first, second, third])
    assert not shards.are_complete([second, third])
    assert not shards.are_complete([first])
    alone = copy.deepcopy(first)
    del alone["metadata"]["annotations"][shards.LAST]
    assert shards.are_complete([alone])


def test_a_kill_concerns_only_workflows_that_have_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pod_exec, "run", lambda *_: None)
    cluster = FakeCluster([*all_workflows()[:2], running("grow-2-s3")])
    assert stop(reader(cluster), RUN, force=False)
    assert cluster.calls == [
        "kill grow-2-s3 *",
        "patch grow-2-s3 {'spec': {'shutdown': 'Terminate'}}",
    ]


def test_the_pods_of_a_run_belong_to_all_its_workflows() -> None:
    run = merged([status.read(document) for document in all_workflows()])
    assert names_of(run) == ["grow-2", "grow-2-s2", "grow-2-s3"]


def test_attempts_without_pods_come_from_their_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "StoreShell", lambda store: store)
    second = pod(2, state="terminated")
    variables = {"RISEML_ATTEMPT": "0", "RISEML_EARLIER_ATTEMPTS": "1"}
    env = [{"name": name, "value": value} for name, value in variables.items()]
    second["spec"] = {"containers": [{"name": "main", "env": env}]}
    cluster = FakeCluster(
        all_workflows()[1:], [second], logs={"pod-2": [FakeLog([b"second\n"])]}
    )
    store = archived()
    store.outputs = {".riseml/logs": b"first\n", **store.outputs}
    query = LogQuery(Id(number=2, sub=2), follow=False)
    written = []
    for event in logs.follow(reader(cluster, store), query):
        if isinstance(event, Chunk):
            written.append((event.source, event.data))
    assert written == [("copy", b"first\n"), ("live", b"second\n")]
    copies = [script for script in store.scripts if ".riseml/logs" in script[0]]
    # Only attempts before the one that has a pod.
    assert [script[-1] for script in copies] == ["1"]


class Growing:
    """The user's namespace while a Workflow is added; `exists` says that it is there already."""

    def __init__(self, *, exists: bool) -> None:
        self.exists = exists
        self.calls: list[str] = []
        self.connection = FakeCluster().connection

    def get(self, path: str) -> dict[str, Any]:
        return {"metadata": {"resourceVersion": "1"}, "data": {"number": "2"}}

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        assert query["labelSelector"] == run_selector(2)
        return [recorded("grow-2")]

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(f"patch {path.rpartition('/')[2]}")
        if path.endswith("/grow-2"):
            assert body["metadata"]["annotations"] == {
                archive.ARCHIVED: None,
                shards.LAST: "2",
            }
            assert body["spec"] == {"ttlStrategy": None}
        return self.get(path)

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        annotations = body["metadata"]["annotations"]
        assert annotations[labels.SUBMITTER] == "ana@example.com"
        if self.exists:
            raise ConflictError("it exists")
        self.calls.append(f"create {body['metadata']['name']}")
        return body


@pytest.mark.parametrize("exists", [False, True])
def test_an_added_workflow_has_a_name_that_nobody_else_can_take(
    *, exists: bool, tmp_path: Path
) -> None:
    cluster = Growing(exists=exists)
    repeated = Experiment(7, {"lr": "0.1"}, attempts=1)
    plan = replace(grid({"lr": "0.1"}), experiments=(repeated,))
    submission = Submission(plan, "0" * 40, into=Growth(2, 2))
    api = cast(Api, cluster)

    def start() -> str:
        return submit.start(
            submission,
            UserNamespace(api, NAMESPACE),
            cast(StorePod, FakeStore()),
            home=tmp_path,
            cache=DocumentCache(tmp_path),
            user="me",
            known=[],
            submitter="ana@example.com",
        ).name

    if exists:
        with pytest.raises(ChangedMeanwhileError, match="another command has repeated"):
            start()
        return
    assert start() == "mnist-2-s2"
    assert cluster.calls == ["patch riseml", "patch grow-2", "create mnist-2-s2"]
