"""Lists of runs on a cluster: from metadata if that is enough, else from whole documents."""

import copy
import json
from typing import Any, cast

import pytest

from riseml import labels
from riseml.engines import Query
from riseml.engines.argo import archive
from riseml.engines.argo.listing import COMPLETED, Listing
from riseml.errors import NotAllowedError, NotFoundError, UnreachableError
from riseml.ids import Id
from riseml.plan import Marks
from riseml.status import ExperimentStatus, SetStatus, State
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


def archived_run(number: int, **annotations: str) -> dict[str, Any]:
    """Return the Workflow of an ended run that is archived as it is now."""
    marks = {archive.ARCHIVED: "yes", archive.GENERATION: "5", **annotations}
    document = run(number, completed="Succeeded", annotations=marks)
    document["metadata"]["generation"] = 5
    return document


def record(number: int, **fields: Any) -> SetStatus:
    """Return an archived run, whose experiment has a result that no document has."""
    experiment = ExperimentStatus(
        id=f"{number}.1", sub=1, state=State.FINISHED, result={"loss": "0.5"}
    )
    fields = {"state": State.FINISHED, "experiments": (experiment,), **fields}
    return SetStatus(str(number), user="me", project="net", number=number, **fields)


class CountingCluster(FakeCluster):
    """A cluster that counts the lists of complete documents."""

    lists = 0

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        self.lists += not query.get("metadata")
        return super().items(path, **query)


def test_experiments_of_archived_runs_come_from_the_archive_in_one_command() -> None:
    numbers = range(1, 201)
    cluster = CountingCluster([archived_run(number) for number in numbers])
    listed = listing(cluster, *map(record, numbers))
    runs = listed.runs(Query(all=True, experiments=True))
    assert [run.number for run in runs] == list(reversed(numbers))
    assert all(run.experiments[0].result == {"loss": "0.5"} for run in runs)
    assert cluster.lists == 0
    # The second command looks for runs without a Workflow.
    assert len(cast(FakeStore, listed._reader.store).scripts) == 2


def test_documents_of_many_runs_are_read_in_a_few_requests() -> None:
    numbers = range(1, 201)
    documents = [run(number, completed="Succeeded") for number in numbers]
    cluster = CountingCluster([*documents, run(201)])
    runs = listing(cluster).runs(Query(all=True, experiments=True))
    assert [run.number for run in runs] == list(reversed(range(1, 202)))
    assert [experiment.id for experiment in runs[0].experiments] == ["201.1"]
    # Four for what has ended, and one for what has not.
    assert cluster.lists == 5


def test_a_copied_folder_in_the_archive_is_not_another_run() -> None:
    cluster = FakeCluster([archived_run(14)])
    listed = listing(cluster, record(14), record(13), record(14))
    runs = listed._from_archive({14: cluster.workflows})
    assert [run.number for run in runs] == [14]


def test_marks_of_an_archived_run_are_those_of_its_workflow() -> None:
    named = archived_run(14)
    named["metadata"]["labels"][labels.NAME] = "new"
    old = record(14, marks=Marks("old"))
    (listed,) = listing(FakeCluster([named]), old).runs(
        Query(all=True, experiments=True)
    )
    assert listed.marks.name == "new"


@pytest.mark.parametrize("case", ["no record", "only its start", "outdated", "away"])
def test_a_run_that_the_archive_does_not_have_is_read_from_its_document(
    case: str,
) -> None:
    document = archived_run(14)
    records = [record(14)]
    if case == "no record":
        records = []
    if case == "only its start":
        records = [record(14, state=State.PENDING)]
    if case == "outdated":
        document["metadata"]["annotations"][archive.GENERATION] = "4"
        del document["status"]["phase"]
    listed = listing(FakeCluster([document]), *records)
    if case == "away":
        cast(Any, listed._reader).store = Away()
    (status,) = listed.runs(Query(all=True, last=1, experiments=True))
    # The document says that it is running.
    assert status.state is not State.FINISHED
    assert status.experiments[0].result is None


class Away(FakeStore):
    """A store whose pod does not run."""

    def script(self, text: str, *arguments: str, stdin: Any = None) -> bytes:
        raise UnreachableError("the store has no pod")


def test_a_cache_that_lacks_the_newest_run_is_not_used() -> None:
    cluster = FakeCluster([run(14)], cached=[])
    listed = listing(cluster)
    assert listed._workflows.metadata("riseml-me") == cluster.workflows


def test_other_users_may_be_forbidden() -> None:
    cluster = FakeCluster(forbidden="riseml-you")
    with pytest.raises(NotAllowedError, match="you may not see you's experiments"):
        listing(cluster).runs(Query(user="you"))
