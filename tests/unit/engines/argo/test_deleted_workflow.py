"""Runs whose Workflow was deleted: the output volume still says what they were and have left."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from riseml import status
from riseml.diagnosis import Evidence, explain
from riseml.engines import Query
from riseml.engines.argo import archive, deleted_workflow, submit
from riseml.engines.argo.listing import Listing
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.stop import stop
from riseml.errors import NotFoundError, UnsupportedError
from riseml.ids import Id
from riseml.plan import Origin, Target
from riseml.status import State
from riseml.status.data import encode, to_data
from tests.unit.engines.argo.fake_cluster import (
    NAMESPACE,
    FakeCluster,
    reader,
    workflow,
)
from tests.unit.plans import REVISION, compiled, grid
from tests.unit.shell_store import Shell

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = Id(number=14)
ORIGIN = Origin("me", 14, REVISION)
MESSAGE = (
    "its Workflow was deleted; logs, results and output still exist;"
    " `riseml delete 14` removes them"
)


class Store(Shell):
    namespace = NAMESPACE


def submitted(output: Path) -> Store:
    """Return a store with the folders of a set of two experiments, made when it was submitted."""
    store = Store(output)
    output.mkdir()
    plan = grid({"lr": "0.1"}, {"lr": "0.2"})
    record = deleted_workflow.first_record([compiled(plan, ORIGIN)], NOON)
    folder = submit.make_folders(cast(Any, store), plan, ORIGIN, Target(), record)
    assert folder == "me/mnist/14"
    return store


def leave(output: Path, sub: int, name: str, text: str) -> None:
    """Write a file as a job does."""
    (output / f"me/mnist/14/{sub}/.riseml" / name).write_text(text)


def runs(store: Store, *workflows: dict[str, Any]) -> RunReader:
    return reader(FakeCluster(list(workflows)), cast(Any, store))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "volume"


def test_a_run_without_its_workflow_shows_what_its_jobs_have_left(output: Path) -> None:
    store = submitted(output)
    leave(output, 1, "logs/train.0.log.times", "1767268810 6\n1767268815 60\n")
    leave(output, 1, "logs/train.1.log.times", "1767268820 6\n1767268890 60\n")
    # The run script of a further attempt does that.
    (output / "me/mnist/14/1/.riseml/attempt.1").mkdir()
    leave(output, 1, "results.jsonl", '{"loss": 0.5}\n')
    run = runs(store).read(RUN)
    assert (run.state, run.reason, run.message) == (State.KILLED, "LOST", MESSAGE)
    assert (run.project, run.revision, run.created) == ("mnist", REVISION, NOON)
    first, second = run.experiments
    assert (first.result, second.result) == ({"loss": 0.5}, None)
    assert first.jobs[0].attempt == 1
    assert (first.started, first.finished) == (
        datetime.fromtimestamp(1767268820, UTC),
        datetime.fromtimestamp(1767268890, UTC),
    )
    assert (run.started, run.finished) == (first.started, first.finished)
    assert (second.state, second.started) == (State.KILLED, None)
    assert second.parameters == {"lr": "0.2"}


def test_it_is_listed_unless_it_has_a_workflow(output: Path) -> None:
    store = submitted(output)
    lost = Listing(runs(store)).runs(Query(all=True))
    assert [(run.number, run.state) for run in lost] == [(14, State.KILLED)]
    active = workflow({"phase": "Running"})
    listed = Listing(runs(store, active)).runs(Query(all=True))
    assert [(run.number, run.state) for run in listed] == [(14, State.RUNNING)]


def test_it_cannot_be_killed_and_can_be_deleted(output: Path) -> None:
    store = submitted(output)
    assert not stop(runs(store), RUN, force=False)
    archive.remove(cast(Any, store), runs(store).read(RUN))
    assert list((output / "me/mnist").iterdir()) == []
    with pytest.raises(NotFoundError, match="there is no run 14"):
        stop(runs(store), RUN, force=False)


def test_the_record_of_its_end_counts_if_there_is_one(output: Path) -> None:
    store = submitted(output)
    run = status.read(compiled(grid({"lr": "0.1"}), ORIGIN))
    ended = replace(run, state=State.FAILED)
    text = json.dumps(to_data(ended), default=encode)
    (output / "me/mnist/14/run.json").write_text(text)
    assert runs(store).read(RUN).state is State.FAILED
    assert [run.state for run in archive.runs(cast(Any, store), "me", Query())] == [
        State.FAILED
    ]


def test_a_workflow_of_several_that_is_left_counts(output: Path) -> None:
    store = Store(output)
    output.mkdir()
    plan = grid({"lr": "0.1"}, {"lr": "0.2"})
    shards = [workflow({"phase": "Running"}), workflow({"phase": "Running"})]
    for index, shard in enumerate(shards, 1):
        metadata = shard["metadata"]
        metadata["name"] = f"net-14-s{index}"
        metadata["labels"] |= {"riseml.io/shard": str(index)}
        metadata["annotations"]["riseml.io/last-shard"] = "2"
        task = shard["spec"]["templates"][1]["dag"]["tasks"][0]
        task["withItems"][0]["riseml-sub"] = str(index)
        shard["status"]["nodes"] = {}
    record = deleted_workflow.first_record(shards, NOON)
    origin = replace(ORIGIN, number=14)
    submit.make_folders(cast(Any, store), plan, origin, Target(), record)
    run = runs(store, shards[1]).read(RUN)
    assert [part.reason for part in run.experiments] == ["LOST", ""]
    assert [part.state for part in run.experiments] == [State.KILLED, State.CREATED]
    assert [shard.name for shard in run.workflows] == ["net-14-s1", "net-14-s2"]
    assert not run.state.is_terminal


def test_why_says_what_became_of_it(output: Path) -> None:
    run = runs(submitted(output)).read(RUN)
    evidence = Evidence(run, run, has_cluster=True)
    (cause,) = explain(evidence)
    assert (cause.kind, cause.ids) == ("LOST", ("14.1", "14.2"))
    assert cause.explanation.startswith("its Workflow was deleted")
    assert "`riseml delete 14` removes what is left" in cause.fix[-1]


def test_a_run_that_the_cluster_refuses_was_never_there(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = submitted(output)

    def refuse(*_: Any) -> None:
        raise UnsupportedError("the cluster refuses this Workflow")

    monkeypatch.setattr(submit, "create", refuse)
    document = compiled(grid({"lr": "0.1"}), ORIGIN)
    with pytest.raises(UnsupportedError):
        submit._create_all(cast(Any, None), cast(Any, store), "me/mnist/14", [document])
    with pytest.raises(NotFoundError):
        runs(store).read(RUN)
