"""Views of runs on a cluster: what a watch and the files in the output volume say together."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from riseml.cluster.store import StorePod
from riseml.engines.argo import live
from riseml.engines.argo.live import LiveRun, list_files
from riseml.errors import UnreachableError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus, State
from tests.unit.engines.argo.fake_cluster import (
    NAMESPACE,
    FakeCluster,
    reader,
    workflow,
)
from tests.unit.shell_store import Shell


class Store(Shell):
    namespace = NAMESPACE
    is_away = False

    def close(self) -> None:
        """Do nothing: each script is a process of its own."""

    def script(self, text: str, *arguments: str, **options: Any) -> bytes:
        if self.is_away:
            raise UnreachableError("the store is away")
        return super().script(text, *arguments, **options)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(live, "StoreShell", lambda pod: pod)
    monkeypatch.setattr(live, "_REPORTS_SECONDS", 0.01)
    monkeypatch.setattr(live, "_METRICS_SECONDS", 0.01)
    monkeypatch.setattr(live, "_RETRY_SECONDS", 0.01)
    return Store(tmp_path)


Open = Callable[[FakeCluster], LiveRun]


@pytest.fixture
def view(store: Store) -> Iterator[Open]:
    opened: list[LiveRun] = []

    def open_view(cluster: FakeCluster) -> LiveRun:
        opened.append(LiveRun(reader(cluster, cast(Any, store)), Id(number=14)))
        return opened[-1]

    yield open_view
    for one in opened:
        one.close()


def running(*attempts: int) -> dict[str, Any]:
    experiments: list[dict[str, Any]] = []
    for attempt in attempts:
        fields: dict[str, Any] = {"phase": "Running"}
        if attempt:
            fields["attempts"] = ["Failed"] * attempt + ["Running"]
        experiments.append(fields)
    document = workflow(*experiments)
    document["metadata"]["labels"]["riseml.io/project"] = "net"
    return document


def write(store: Store, sub: int, name: str, text: str) -> None:
    path = store.output / f"me/net/14/{sub}/.riseml" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def until(view: LiveRun, condition: Callable[[SetStatus], object]) -> SetStatus:
    limit = time.monotonic() + 60
    while not condition(run := view.read()):
        assert time.monotonic() < limit, run
        time.sleep(0.01)
    return run


def reported(experiment: ExperimentStatus) -> tuple[object, object]:
    return experiment.result, experiment.progress


def test_reports_appear_and_change(store: Store, view: Open) -> None:
    write(store, 1, "results.jsonl", '{"acc": 0.5}\n')
    write(store, 1, "progress", "1/10 0\n")
    opened = view(FakeCluster([running(0, 0)]))
    # The first screen is complete.
    first = opened.read()
    assert list(map(reported, first.experiments)) == [
        ({"acc": 0.5}, (1, 10)),
        (None, None),
    ]
    write(store, 1, "progress", "2/10 0\n")
    write(store, 2, "results.jsonl", '{"acc": 0.75}\n')
    write(store, 2, "progress", "9/10 0\n")
    second = until(opened, lambda run: run.experiments[1].progress == (9, 10))
    assert reported(second.experiments[0]) == ({"acc": 0.5}, (2, 10))
    progressed = second.experiments[1].progressed
    assert progressed is not None
    assert abs(progressed.timestamp() - time.time()) < 60
    until(opened, lambda run: run.experiments[1].result == {"acc": 0.75})


def test_reports_show_that_an_experiment_has_started(store: Store, view: Open) -> None:
    document = workflow({"phase": "Pending"}, {"phase": "Pending"})
    document["metadata"]["labels"]["riseml.io/project"] = "net"
    opened = view(FakeCluster([document]))
    assert opened.read().state is State.PENDING
    write(store, 1, "results.jsonl", '{"acc": 0.5}\n')
    write(store, 1, "progress", "1/10 0\n")
    # That is of another attempt.
    write(store, 2, "progress", "1/10 1\n")
    run = until(opened, lambda run: run.experiments[0].progress)
    states = [experiment.state for experiment in run.experiments]
    assert states == [State.RUNNING, State.PENDING]
    assert (run.state, run.counts) == (
        State.RUNNING,
        {State.RUNNING: 1, State.PENDING: 1},
    )
    until(opened, lambda run: run.experiments[0].result == {"acc": 0.5})


def test_the_view_follows_the_workflow(store: Store, view: Open) -> None:
    ended = workflow(
        {"phase": "Succeeded"},
        version=2,
        phase="Succeeded",
        finishedAt="2026-01-01T00:02:00Z",
    )
    ended["metadata"]["labels"]["riseml.io/project"] = "net"
    write(store, 1, "results.jsonl", '{"acc": 0.5}\n')
    cluster = FakeCluster([running(0)], watched=[("MODIFIED", ended)])
    opened = view(cluster)
    cluster.workflows = [ended]
    run = until(opened, lambda run: run.state.is_terminal)
    assert (run.state, reported(run.experiments[0])) == (
        State.FINISHED,
        ({"acc": 0.5}, None),
    )


def test_a_store_that_is_away_hides_only_the_reports(store: Store, view: Open) -> None:
    opened = view(FakeCluster([running(0)]))
    store.is_away = True
    assert opened.read().state is State.RUNNING
    write(store, 1, "progress", "1/2 0\n")
    store.is_away = False
    until(opened, lambda run: run.experiments[0].progress == (1, 2))


def test_files_are_listed_without_a_folder_and_with_all_of_them(store: Store) -> None:
    listing = list_files(cast(StorePod, store), "me/net/14")
    assert (dict(listing.results), dict(listing.progress)) == ({}, {})
    write(store, 3, "results.jsonl", "{}\n")
    single = store.output / "me/net/14/.riseml"
    single.mkdir()
    (single / "progress").write_text("1/4 1\n")
    listing = list_files(cast(StorePod, store), "me/net/14")
    assert list(listing.results) == ["3"]
    assert listing.progress[""].progress == (1, 4)
    assert listing.progress[""].attempt == 1


def test_a_held_job_is_shown_until_it_is_released(store: Store, view: Open) -> None:
    document = running(0, 0)
    for template in document["spec"]["templates"]:
        if "container" in template:
            template["outputs"] = {"parameters": [{"name": "held"}]}
    write(store, 2, "held.train", "0 3 1700000000 1700000600\n")
    opened = view(FakeCluster([document]))
    first = opened.read()
    assert [item.reason for item in first.experiments] == ["", "HELD"]
    assert first.experiments[1].exit_code == 3
    (store.output / "me/net/14/2/.riseml/held.train").unlink()
    until(opened, lambda run: not run.experiments[1].reason)
