"""Trainers that decide which columns TensorBoard's HPARAMS tab has."""

from pathlib import Path

from riseml.client import hparams_columns
from riseml.metrics import hparams


def notes(folder: Path) -> list[str]:
    said: list[str] = []
    hparams_columns.explain(folder, "14", said.append)
    return said


def test_a_trainer_that_describes_its_parameters_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "2/lightning_logs/version_0"
    folder.mkdir(parents=True)
    events = folder / "events.out.tfevents.1764316800.host.1.0"
    events.write_bytes(b"\x00" * 1000 + b"\x0a\x14_hparams_/experiment")
    (note,) = notes(tmp_path)
    assert note == (
        "The HPARAMS tab has the columns that the trainer in 2/lightning_logs/version_0 describes,"
        " for all experiments; `riseml results 14` has all parameters."
    )


def test_otherwise_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / hparams.START_FILE).write_bytes(
        hparams.start("14.1", {"lr": "0.1"}, 1.0)
    )
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"\x00" * 100)
    assert notes(tmp_path) == []
    assert notes(tmp_path / "missing") == []
