"""JSON files of trainers and loggers."""

import json
from typing import Any

import pytest

from riseml.metrics.documents import DocumentReader
from riseml.metrics.series import Series


def read(value: Any) -> dict[str, Series]:
    reader = DocumentReader(bool)
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    assert reader.consume(data) == len(data)
    return reader.series


def test_the_state_of_a_trainer_has_a_history() -> None:
    series = read(
        {
            "best_metric": 0.5,
            "log_history": [
                {"loss": 0.75, "step": 10, "epoch": 0.1},
                {"eval_loss": 0.5, "step": 10, "epoch": 0.1},
                {"eval_loss": 0.6, "step": 20, "epoch": 0.2},
                {"train_loss": 0.25, "step": 20},
            ],
        }
    )
    assert series["eval_loss"].least == (0.5, 10)
    assert series["eval_loss"].last == (0.6, 20)
    assert series["loss"].last == (0.75, 10)
    assert "best_metric" not in series


@pytest.mark.parametrize(
    ("value", "name", "last"),
    [
        ({"acc": 0.5}, "acc", (0.5, None)),
        ({"acc": 1, "epoch": 3}, "acc", (1, 3)),
        ({"val": {"top": {"acc": 0.5}}}, "val/top/acc", (0.5, None)),
        ({"loss": [0.5, 0.25]}, "loss", (0.25, 2)),
        ([{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}], "loss", (0.25, 2)),
        (b'{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n{"st', "a", (2, 2)),
        ({"_step": 7, "loss": 0.5, "_runtime": 3}, "loss", (0.5, 7)),
    ],
)
def test_values_have_names_and_steps(value: Any, name: str, last: Any) -> None:
    assert read(value)[name].last == last


def test_other_values_are_not_numbers() -> None:
    value = {"a": True, "b": "0.5", "c": None, "d": [1, "x"], "e": 10**400}
    assert read(value) == {}


def test_an_incomplete_file_keeps_what_was_read() -> None:
    reader = DocumentReader(bool)
    reader.consume(b'{"acc": 0.5}')
    for data in (b"", b'{"acc', b"\0\0", b"\xff"):
        assert reader.consume(data) == 0
    assert reader.series["acc"].last == (0.5, None)
