"""Records for TensorBoard's HPARAMS tab that the controller writes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.engines.local.controller.session_records import SessionRecords
from riseml.engines.local.jobs.pod import Pod
from riseml.metrics import hparams

ITEMS = [
    {"riseml-sub": "1", "lr": "0.1", "riseml-quoted-lr": "0.1"},
    {"riseml-sub": "7", "lr": "0.2"},
]


def document(items: list[Any]) -> dict[str, Any]:
    task = {"name": "experiment", "withItems": items}
    return {"spec": {"templates": [{"name": "x"}, {"dag": {"tasks": [task]}}]}}


def pod(folder: Path, experiment: str) -> Pod:
    logs = folder / ".riseml/logs"
    logs.mkdir(parents=True, exist_ok=True)
    fields = SimpleNamespace(log=logs / "train.0.log", experiment=experiment)
    return cast("Pod", fields)


def test_the_record_has_the_parameters_of_the_experiment(tmp_path: Path) -> None:
    SessionRecords(document(ITEMS), 14).write(pod(tmp_path, "7"))
    data = (tmp_path / hparams.START_FILE).read_bytes()
    assert b"14.7" in data
    assert b"lr" in data
    assert b"riseml-" not in data


def test_what_an_earlier_attempt_has_written_stays(tmp_path: Path) -> None:
    (tmp_path / hparams.START_FILE).write_bytes(b"first")
    SessionRecords(document(ITEMS), 14).write(pod(tmp_path, "7"))
    assert (tmp_path / hparams.START_FILE).read_bytes() == b"first"


@pytest.mark.parametrize(
    ("items", "experiment"), [(ITEMS, ""), ([{"riseml-sub": "1"}], "1"), ([], "1")]
)
def test_without_parameters_there_is_no_record(
    tmp_path: Path, items: list[Any], experiment: str
) -> None:
    SessionRecords(document(items), 14).write(pod(tmp_path, experiment))
    assert not (tmp_path / hparams.START_FILE).exists()


def test_a_folder_that_cannot_be_written_keeps_no_job_from_starting(
    tmp_path: Path,
) -> None:
    job = pod(tmp_path / "output", "1")
    (tmp_path / "output/.riseml/logs").rmdir()
    (tmp_path / "output/.riseml").rmdir()
    (tmp_path / "output").rmdir()
    SessionRecords(document(ITEMS), 14).write(job)
    assert not (tmp_path / "output").exists()
