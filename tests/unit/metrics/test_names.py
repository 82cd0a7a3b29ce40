"""Which series a name means, among the tags that writers use."""

import pytest

from riseml.metrics.names import CLOSE, LOOSE, Tagged, choose, rank
from riseml.metrics.series import Series


def chosen(name: str, *places: str, modified: tuple[float, ...] = ()) -> str | None:
    """Return the one of `folder/…:tag` that a name means."""
    candidates = []
    for position, text in enumerate(places):
        folder, _, tag = text.rpartition(":")
        series = Series()
        series.add(position)
        time = modified[position] if modified else 0.0
        parts = tuple(folder.split("/")) if folder else ()
        candidates.append(Tagged(parts, tag, time, series, text))
    choice = choose(name, candidates) or choose(name, candidates, LOOSE)
    return choice.path if choice else None


@pytest.mark.parametrize(
    ("name", "places", "expected"),
    [
        ("loss", ["runs:loss", "runs:val/loss"], "runs:loss"),
        ("val_loss", ["runs:loss", "runs:val/loss"], "runs:val/loss"),
        ("val/loss", ["runs:val/loss"], "runs:val/loss"),
        ("val_loss", ["runs:validation/loss"], "runs:validation/loss"),
        ("Val Loss", ["runs:val_loss"], "runs:val_loss"),
        # Keras writes the same tag to two folders.
        ("val_loss", ["train:epoch_loss", "validation:epoch_loss"], "validation:epoch_loss"),
        ("loss", ["train:epoch_loss", "validation:epoch_loss"], "train:epoch_loss"),
        ("epoch_loss", ["train:epoch_loss", "validation:epoch_loss"], "train:epoch_loss"),
        ("validation/epoch_loss", ["train:epoch_loss", "logs/validation:epoch_loss"], "logs/validation:epoch_loss"),
        # Two writers of torch, and `add_scalars`.
        ("val_loss", ["runs/train:loss", "runs/val:loss"], "runs/val:loss"),
        ("loss", ["runs/train:loss", "runs/val:loss"], "runs/train:loss"),
        ("val_loss", ["runs/loss_train:loss", "runs/loss_val:loss"], "runs/loss_val:loss"),
        # Lightning and transformers.
        ("train_loss", ["v:train_loss_step", "v:train_loss_epoch"], "v:train_loss_epoch"),
        ("loss", ["runs:train/loss", "runs:eval/loss"], "runs:train/loss"),
        ("eval_loss", ["runs:train/loss", "runs:eval/loss"], "runs:eval/loss"),
        # The last part of the only tag.
        ("mean_iou", ["v:metrics/seg/mean_iou"], "v:metrics/seg/mean_iou"),
        ("iou", ["v:a/iou", "v:b/iou"], None),
        ("loss", ["v:glossy", "v:val_loss", "v:loss_scale"], None),
        ("%", ["v:a", "v:%"], "v:%"),
        ("%", ["v:a", "v:/"], None),
        # Folders at the top come first.
        ("acc", ["a/b:acc", "a:acc"], "a:acc"),
    ],
)  # fmt: skip
def test_a_name_means(name: str, places: list[str], expected: str | None) -> None:
    assert chosen(name, *places) == expected
    assert chosen(name, *reversed(places)) == expected


def test_the_newest_of_equal_folders_counts() -> None:
    places = "version_0:acc", "version_1:acc"
    assert chosen("acc", *places, modified=(1, 2)) == "version_1:acc"
    assert chosen("acc", *places, modified=(2, 1)) == "version_0:acc"


def test_the_files_of_one_folder_are_one_series() -> None:
    tagged = []
    for path, values in (("events.2", (3, 5)), ("events.1", (9, 1, 4))):
        series = Series()
        for step, value in enumerate(values):
            series.add(value, step)
        tagged.append(Tagged(("a",), "acc", 0.0, series, path))
    choice = choose("acc", tagged)
    assert choice is not None
    assert choice.series.greatest == (9, 0)
    assert choice.series.least == (1, 1)
    assert choice.series.last == (5, 1)


def test_a_last_part_is_only_a_guess() -> None:
    tagged = Tagged((), "fold/iou", 0.0, Series(), "events.1")
    assert choose("iou", [tagged], CLOSE) is None
    assert choose("iou", [tagged], LOOSE) is not None


def test_relevance_needs_only_the_name() -> None:
    assert rank("val_loss", ("validation",), "epoch_loss") == 1
    assert rank("val_loss", ("train",), "epoch_loss") is None
