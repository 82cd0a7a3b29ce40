"""Metrics of a set that has ended: they are kept in one file until the set ends again."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from riseml.engines.local.metric_files import measured
from riseml.plan import Metric
from riseml.status import ExperimentStatus, SetStatus, State
from tests.folders import write

NOW = datetime(2018, 1, 31, 10, tzinfo=UTC)
LATER = datetime(2018, 1, 31, 11, tzinfo=UTC)


def _set(count: int, finished: datetime = NOW) -> SetStatus:
    experiments = []
    for sub in range(1, count + 1):
        experiments.append(
            ExperimentStatus(
                f"7.{sub}", sub, State.FINISHED, started=NOW, finished=finished
            )
        )
    return SetStatus(
        "7",
        is_set=True,
        state=State.FINISHED,
        metrics=(Metric("acc", "max"),),
        experiments=tuple(experiments),
    )


def _write(folder: Path, *accuracies: float) -> None:
    for sub, accuracy in enumerate(accuracies, 1):
        write(folder, {f"{sub}/.riseml/logs/train.0.log": f"acc={accuracy}\n"})


def _accuracies(run: SetStatus, folder: Path) -> list[float]:
    results = [
        experiment.result or {} for experiment in measured(run, folder).experiments
    ]
    return [result["acc"] for result in results]


def test_an_ended_set_is_read_once(tmp_path: Path) -> None:
    _write(tmp_path, 0.5, 0.75)
    assert _accuracies(_set(2), tmp_path) == [0.5, 0.75]
    kept = tmp_path / ".riseml/set-metrics.json"
    text = kept.read_text()
    kept.write_text(text.replace("0.75", "0.8"))
    # The value can only come from the file.
    assert _accuracies(_set(2), tmp_path) == [0.5, 0.8]


def test_a_set_that_was_continued_is_read_again(tmp_path: Path) -> None:
    _write(tmp_path, 0.5)
    assert _accuracies(_set(1), tmp_path) == [0.5]
    _write(tmp_path, 0.5, 0.75)
    assert _accuracies(_set(2), tmp_path) == [0.5, 0.75]
    run = replace(_set(2), metrics=(Metric("acc", "min"),))
    assert _accuracies(run, tmp_path) == [0.5, 0.75]
    (tmp_path / "2/.riseml/metrics.json").unlink()
    write(tmp_path, {"2/.riseml/logs/train.0.log": "acc=0.875\n"})
    assert _accuracies(_set(2, LATER), tmp_path) == [0.5, 0.875]


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    _write(tmp_path, 0.5)
    write(tmp_path, {".riseml/set-metrics.json": "[1, 2"})
    assert _accuracies(_set(1), tmp_path) == [0.5]
    assert '"experiments"' in (tmp_path / ".riseml/set-metrics.json").read_text()


def test_a_set_that_runs_is_always_read(tmp_path: Path) -> None:
    _write(tmp_path, 0.5)
    run = replace(_set(1), state=State.RUNNING)
    assert _accuracies(run, tmp_path) == [0.5]
    assert not (tmp_path / ".riseml").exists()
