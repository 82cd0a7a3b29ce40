"""Metrics of real programs: what Keras 3, TensorFlow 2, tensorboardX, LightGBM, XGBoost and tqdm wrote."""

from pathlib import Path
from typing import Any

import pytest

from riseml.metrics.experiment import Reading
from riseml.metrics.files import File
from riseml.metrics.suggest import metric_names
from riseml.plan import Metric

FIXTURES = Path(__file__).parents[2] / "fixtures/metrics"
LOG = ".riseml/logs/train.0.log"


def measure(metric: Metric, **paths: str) -> dict[str, Any]:
    """Return a metric of files of the fixtures, by the paths that they have in an output folder."""
    files = []
    data = {}
    for source, path in paths.items():
        matches = FIXTURES.glob(source.replace("__", "/"))
        for file in sorted(filter(Path.is_file, matches)):
            name = path or str(file.relative_to(FIXTURES))
            data[name] = file.read_bytes()
            files.append(File(name, len(data[name]), 1.0))
    reading = Reading([metric])

    def read(file: File, start: int, size: int) -> bytes:
        return data[file.path][start : start + size]

    reading.advance(files, read, is_end=True)
    return reading.measured().get(metric.name, {})


def short(measured: dict[str, Any]) -> tuple[Any, ...]:
    fields = ("best", "best_step", "last", "last_step")
    return tuple(measured.get(name) for name in fields)


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("val_loss", "min", (0.7133895, 2, 0.7133895, 2)),
        ("loss", "min", (0.72730494, 2, 0.72730494, 2)),
        ("val_accuracy", "max", (0.6875, 0, 0.6875, 2)),
        ("validation/epoch_loss", "max", (0.71427286, 0, 0.7133895, 2)),
    ],
)
def test_keras_writes_the_same_tag_to_two_folders(
    name: str, mode: str, expected: tuple[Any, ...]
) -> None:
    metric = Metric(name, mode)
    files = {"keras__train__*": "", "keras__validation__*": ""}
    assert short(measure(metric, **files)) == expected


def test_the_bar_of_keras_and_its_csv_file_have_the_same_values() -> None:
    for name, best in (("accuracy", 0.5208), ("val_loss", 0.7134), ("loss", 0.7273)):
        mode = "max" if name == "accuracy" else "min"
        log = measure(Metric(name, mode), **{"keras__output.txt": LOG})
        table = measure(Metric(name, mode), **{"keras__training.log": "training.log"})
        assert log["best"] == best
        assert table["best"] == pytest.approx(best, abs=5e-5)
        assert table["last_step"] == 2


def test_tensorflow_and_tensorboardx_write_scalars() -> None:
    assert short(measure(Metric("val_loss", "max"), **{"tensorflow__*": ""})) == (
        0.3,
        2,
        0.3,
        2,
    )
    files = {"tensorboardx__*": "", "tensorboardx__**__*tfevents*": ""}
    assert short(measure(Metric("val_acc", "max"), **files)) == (0.9, 2, 0.6, 3)
    assert short(measure(Metric("val_loss", "min"), **files)) == (0.25, 3, 0.25, 3)


@pytest.mark.parametrize(
    ("file", "name", "mode", "expected"),
    [
        ("lightgbm.txt", "valid_0's auc", "max", (0.982973, 3, 0.982973, 3)),
        ("lightgbm.txt", "auc", "max", (0.982973, 3, 0.982973, 3)),
        ("lightgbm.txt", "binary_logloss", "min", (0.499339, 3, 0.499339, 3)),
        ("xgboost.txt", "validation-logloss", "min", (0.1961, 9, 0.1961, 9)),
        ("xgboost.txt", "logloss", "min", (0.1961, 9, 0.1961, 9)),
        ("xgboost.txt", "train-auc", "max", (0.99849, 9, 0.99849, 9)),
        ("tqdm.txt", "loss", "min", (0.05, None, 0.05, None)),
        ("tqdm.txt", "acc", "max", (91.9, None, 91.9, None)),
    ],
)  # fmt: skip
def test_logs(file: str, name: str, mode: str, expected: tuple[Any, ...]) -> None:
    assert short(measure(Metric(name, mode), **{file: LOG})) == expected


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("keras/output.txt", ("val_accuracy", "val_loss", "accuracy", "loss")),
        (
            "lightgbm.txt",
            ("valid_0's binary_logloss", "valid_0's auc", "training's binary_logloss", "training's auc"),
        ),
        (
            "xgboost.txt",
            ("validation-logloss", "validation-auc", "train-logloss", "train-auc"),
        ),
        ("tqdm.txt", ("acc", "loss")),
    ],
)  # fmt: skip
def test_suggestions(file: str, names: tuple[str, ...]) -> None:
    text = (FIXTURES / file).read_text("utf-8")
    assert metric_names(text) == names
