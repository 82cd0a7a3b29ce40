"""Metrics of runs on a cluster: what is read of the output volume, and how much of it."""

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from riseml.cluster.store import StorePod
from riseml.engines.argo import archive, metric_files
from riseml.engines.argo.metric_files import MetricFiles, cache_file
from riseml.errors import UnreachableError
from riseml.ids import Id
from riseml.plan import Metric
from riseml.status import ExperimentStatus, SetStatus, State
from riseml.status.data import encode, from_data, to_data
from tests.unit.engines.argo.fake_cluster import FakeCluster, reader, workflow
from tests.unit.metrics import event_files as write
from tests.unit.shell_store import Shell

TIME = datetime(2026, 1, 1, tzinfo=UTC)
METRICS = (Metric("val_loss", "min"), Metric("acc", "max"), Metric("lr"))


class Counted(Shell):
    """A store that counts the bytes that its scripts print, and may be away."""

    def __init__(self, output: Path) -> None:
        super().__init__(output)
        self.lengths: list[int] = []
        self.is_away = False

    def script(
        self,
        text: str,
        *arguments: str,
        stdin: Iterable[bytes] | None = None,
        on_output: Any = None,
    ) -> bytes:
        if self.is_away:
            raise UnreachableError("away")
        output = super().script(text, *arguments, stdin=stdin, on_output=on_output)
        self.lengths.append(len(output))
        return output


class Lab:
    """A set of two experiments with output in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Counted(folder / "volume")
        self.home = folder / "home"

    def put(self, path: str, data: bytes, sub: int = 1, time: float = 1.0) -> None:
        file = self.folder / "volume/me/net/14" / str(sub) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as target:
            target.write(data)
        os.utime(file, (time, time))

    def log(self, text: str, sub: int = 1, attempt: int = 0, time: float = 1.0) -> None:
        name = f".riseml/logs/train.{attempt}.log"
        self.put(name, text.encode(), sub, time)

    def run(
        self, state: State = State.RUNNING, metrics: tuple[Metric, ...] = METRICS
    ) -> SetStatus:
        experiments = [
            ExperimentStatus(f"14.{sub}", sub, state, started=TIME) for sub in (1, 2)
        ]
        waiting = ExperimentStatus("14.3", 3, State.PENDING)
        return SetStatus(
            "14",
            name="net-14",
            user="me",
            project="net",
            number=14,
            is_set=True,
            state=state,
            created=TIME,
            metrics=metrics,
            experiments=(*experiments, waiting),
        )

    def read(self, state: State = State.RUNNING, **options: Any) -> SetStatus:
        run = self.run(state, **options)
        cache = cache_file(self.home, run, "riseml-me")
        result = MetricFiles(cast(StorePod, self.store), run, cache).read()
        assert result is not None
        return result


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def results(run: SetStatus) -> list[Any]:
    return [experiment.result for experiment in run.experiments]


def test_only_what_is_new_is_read(lab: Lab) -> None:
    lab.log("val_loss=0.5\n" * 1000)
    lab.log("acc 90%\n", sub=2)
    events = write.VERSION + write.event(1, write.simple("acc", 0.1))
    lab.put("workdir/runs/a b/events.out.tfevents.1", events)
    lab.put("weights.bin", b"x" * 100_000)
    assert results(lab.read()) == [{"val_loss": 0.5, "acc": 0.1}, {"acc": 90.0}, None]
    lab.log("val_loss=0.25\nval_loss=0.7", time=2.0)
    lab.put(
        "workdir/runs/a b/events.out.tfevents.1",
        write.event(2, write.simple("acc", 0.3)),
        time=2.0,
    )
    lab.store.lengths.clear()
    run = lab.read()
    assert results(run)[0] == {"val_loss": 0.25, "acc": 0.3}
    assert max(lab.store.lengths) < 1000
    # Without news there is no second request.
    lab.store.lengths.clear()
    assert lab.read() == run
    assert len(lab.store.lengths) == 1
    ended = lab.read(State.FINISHED)
    assert ended.experiments[0].measured == {
        "val_loss": {
            "best": 0.25,
            "last": 0.7,
            "source": ".riseml/logs/train.0.log",
        },
        "acc": {
            "best": 0.3,
            "best_step": 2,
            "last": 0.3,
            "last_step": 2,
            "source": "workdir/runs/a b/events.out.tfevents.1",
        },
    }


def test_the_log_of_an_earlier_attempt_does_not_count(lab: Lab) -> None:
    lab.log("val_loss=0.1\nlr=1\n", time=10.0)
    lab.put("metrics.csv", b"step,acc\n1,0.99\n", time=9.0)
    assert results(lab.read())[0] == {"val_loss": 0.1, "acc": 0.99, "lr": 1}
    lab.log("val_loss=0.3\n", attempt=1, time=20.0)
    assert results(lab.read())[0] == {"val_loss": 0.3}


def test_large_files_are_read_in_several_requests(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metric_files, "_TOTAL_BYTES", 1000)
    monkeypatch.setattr(metric_files, "_FILE_BYTES", 600)
    for sub in (1, 2):
        text = "".join(f"step {step} acc={step * sub}\n" for step in range(500))
        lab.log(text, sub)
    monkeypatch.setattr(metric_files, "_MAX_ROUNDS", 100)
    assert results(lab.read(State.FINISHED))[:2] == [{"acc": 499.0}, {"acc": 998.0}]


def test_a_damaged_file_is_asked_for_only_once(lab: Lab) -> None:
    lab.put("events.out.tfevents.1", b"?" * 5000)
    lab.put("trainer_state.json", b'{"log_history": [{"acc": 0.5')
    assert results(lab.read(State.FINISHED))[0] is None
    assert len(lab.store.lengths) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"14.1": 3}', '{"14.1": {}}'])
def test_a_damaged_cache_is_replaced(lab: Lab, text: str) -> None:
    cache = cache_file(lab.home, lab.run(), "riseml-me")
    cache.parent.mkdir(parents=True)
    cache.write_text(text)
    lab.log("acc=1\n")
    assert results(lab.read())[0] == {"acc": 1.0}
    assert "14.1" in json.loads(cache.read_text())
    lab.read(State.FINISHED)
    assert not cache.exists()


def test_an_unavailable_store_hides_only_the_metrics(lab: Lab) -> None:
    lab.store.is_away = True
    run = lab.run()
    cache = cache_file(lab.home, run, "riseml-me")
    assert MetricFiles(cast(StorePod, lab.store), run, cache).read() is None


def test_the_archive_has_the_metrics(lab: Lab) -> None:
    lab.log("acc=0.75\n")
    run = lab.read(State.FINISHED)
    archived = from_data(json.loads(json.dumps(to_data(run), default=encode)))
    assert archived == replace(run, counts={})
    assert archived.metrics == METRICS


def test_status_completes_and_archives_the_run(tmp_path: Path) -> None:
    document = workflow(
        {"phase": "Succeeded"},
        phase="Succeeded",
        finishedAt="2026-01-01T00:02:00Z",
    )
    annotations = document["metadata"].setdefault("annotations", {})
    annotations["riseml.io/metrics"] = json.dumps([{"name": "acc", "mode": "max"}])
    volume = tmp_path / "volume"
    store = Shell(volume)
    store.namespace = "riseml-me"  # type: ignore[attr-defined]
    cluster = FakeCluster([document])
    runs = reader(cluster, cast(Any, store))
    runs.home = tmp_path / "home"
    first = runs.read(Id(number=14))
    experiment = first.experiments[0]
    folder = volume / first.user / first.project / "14"
    log = folder / (str(experiment.sub) if first.is_set else "") / ".riseml/logs"
    log.mkdir(parents=True)
    (log / "train.0.log").write_text("acc=0.5\nacc=0.75\nacc=0.6")
    again = runs.read(Id(number=14))
    assert again.experiments[0].result == {"acc": 0.75}
    record = json.loads((folder / "run.json").read_text())
    assert record["experiments"][0]["measured"]["acc"]["last"] == 0.6
    assert any(archive.ARCHIVED in call for call in cluster.calls)
