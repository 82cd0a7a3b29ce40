"""Archive of ended runs: it is written again when Argo has started an archived run anew."""

import json
from pathlib import Path
from typing import Any, cast

from riseml.engines import Query
from riseml.engines.argo import archive
from riseml.engines.argo.listing import COMPLETED, Listing
from riseml.ids import Id
from riseml.status import SetStatus, State
from riseml.status.data import encode, to_data
from tests.unit.engines.argo.fake_cluster import (
    FakeCluster,
    FakeStore,
    reader,
    workflow,
)
from tests.unit.shell_store import Shell

RUN = Id(number=14)


def retried(generation: int) -> dict[str, Any]:
    """Return a run that was archived as FAILED in generation 5, and has finished since."""
    document = workflow(
        {"phase": "Succeeded", "code": 0},
        phase="Succeeded",
        finishedAt="2026-01-01T00:02:00Z",
    )
    metadata = document["metadata"]
    metadata["generation"] = generation
    metadata["labels"] |= {COMPLETED: "true", "riseml.io/user": "me"}
    metadata["annotations"] |= {
        archive.ARCHIVED: "2026-01-01T00:00:30+00:00",
        archive.GENERATION: "5",
        archive.HAS_MORE: "true",
    }
    document["spec"]["ttlStrategy"] = archive.TTL
    return document


def written(store: FakeStore) -> list[tuple[str, ...]]:
    """Return the scripts that wrote a record."""
    return [call for call in store.scripts if "mv -f .run.json.part" in call[0]]


def test_a_run_that_ended_after_its_record_is_archived_again() -> None:
    cluster, store = FakeCluster([retried(9)]), FakeStore()
    assert reader(cluster, store).read(RUN).state is State.FINISHED
    assert len(written(store)) == 1
    (patch,) = cluster.calls
    assert f"'{archive.GENERATION}': '9'" in patch


def test_a_record_of_the_last_generation_stays() -> None:
    cluster, store = FakeCluster([retried(5)]), FakeStore()
    reader(cluster, store).read(RUN)
    assert (written(store), cluster.calls) == ([], [])


def test_the_patch_that_archives_a_run_counts_as_a_generation() -> None:
    document = retried(4)
    del document["metadata"]["annotations"][archive.ARCHIVED]
    del document["spec"]["ttlStrategy"]
    cluster = FakeCluster([document])
    reader(cluster).read(RUN)
    assert f"'{archive.GENERATION}': '5'" in cluster.calls[0]


def test_a_list_renews_an_outdated_record_before_argo_deletes_the_workflow() -> None:
    cluster, store = FakeCluster([retried(9)]), FakeStore()
    Listing(reader(cluster, store)).runs(Query())
    assert len(written(store)) == 1
    Listing(reader(FakeCluster([retried(5)]), store)).runs(Query())
    assert len(written(store)) == 1


def test_records_are_found_by_the_numbers_of_their_runs(tmp_path: Path) -> None:
    for number in (2, 12, 120):
        run = SetStatus(
            str(number), user="me", project="net", number=number, state=State.FAILED
        )
        folder = tmp_path / "me/net" / str(number)
        folder.mkdir(parents=True)
        # A record ends without a line break.
        (folder / "run.json").write_text(json.dumps(to_data(run), default=encode))
    # A run that was never archived, and one without any record.
    started = tmp_path / "me/net/13/.riseml"
    started.mkdir(parents=True)
    run = SetStatus("13", user="me", project="net", number=13, state=State.PENDING)
    (started / "created.json").write_text(json.dumps(to_data(run), default=encode))
    (tmp_path / "me/net/14").mkdir()
    store = cast(Any, Shell(tmp_path))

    def numbers(runs: Any) -> list[int]:
        return sorted(run.number for run in runs)

    assert numbers(archive.numbered(store, "me", [2, 13, 14, 99])) == [2, 13]
    assert numbers(archive.numbered(store, "me", [])) == []
    assert numbers(archive.runs(store, "me", Query())) == [2, 12, 13, 120]
    rest = archive.runs(store, "me", Query(), except_for=[2, 13])
    assert numbers(rest) == [12, 120]
    assert numbers(archive.runs(store, "nobody", Query())) == []


def test_a_folder_of_a_record_may_have_any_name(tmp_path: Path) -> None:
    run = SetStatus("7", user="me", project="net", number=7, state=State.FAILED)
    for name in ("it's a copy", "a=b", "-x"):
        folder = tmp_path / "me" / name / "7"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(to_data(run), default=encode))
    found = archive.numbered(cast(Any, Shell(tmp_path)), "me", [7])
    assert [run.number for run in found] == [7, 7, 7]
