"""Values in logs: the forms in which programs print them, and which word is a name."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.metrics.log import LogReader
from riseml.metrics.series import Series
from riseml.plan import Metric


def read(text: str, *metrics: Metric) -> LogReader:
    reader = LogReader(metrics)
    data = text.encode()
    assert reader.consume(data, is_end=True) == len(data)
    return reader


def series(text: str, name: str) -> Series | None:
    metric = Metric(name)
    return read(text, metric).choose(metric)


def last(text: str, name: str) -> float | None:
    values = series(text, name)
    return values.last[0] if values and values.last else None


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("loss=0.25", "loss", 0.25),
        ("epoch 3 loss: 0.25, acc: 0.9", "acc", 0.9),
        ("epoch 3 loss 0.25 acc 0.9", "loss", 0.25),
        ("Accuracy of 93.1%", "accuracy", 93.1),
        ("acc 93.1%", "acc", 93.1),
        ("acc (%): 93.1", "acc", 93.1),
        ("loss: 1.5e-04", "loss", 1.5e-4),
        ("loss: -7.5E+2", "loss", -750),
        ("tokens: 1,234,567.5 per epoch", "tokens", 1234567.5),
        ("loss 0.25.", "loss", 0.25),
        ("loss = .5", "loss", 0.5),
        ("loss -> 5", "loss", 5),
        ('{"step": 3, "val_loss": 0.25}', "val_loss", 0.25),
        ("{'loss': 0.25, 'eval_loss': 0.5}", "loss", 0.25),
        ("{'loss': '0.25', 'eval_loss': '0.5'}", "eval_loss", 0.5),
        ("{'loss': tensor(0.25, device='cuda:0')}", "loss", 0.25),
        ("{'acc': np.float64(0.25)}", "acc", 0.25),
        ("global_step=8, episodic_return=[23.]", "episodic_return", 23),
        ("|    ep_rew_mean      | 23.5      |", "ep_rew_mean", 23.5),
        ("[10]\tvalidation-rmse:0.53", "validation-rmse", 0.53),
        ("[10]\tvalidation-rmse:0.53", "validation_rmse", 0.53),
        ("[10]\tvalidation-rmse:0.53", "rmse", 0.53),
        ("[100]\tvalid_0's l2: 0.5\tvalid_0's auc: 0.9", "valid_0's l2", 0.5),
        ("[100]\tvalid_0's l2: 0.5\tvalid_0's auc: 0.9", "auc", 0.9),
        (" * Acc@1 71.234 Acc@5 90.1", "Acc@1", 71.234),
        ("accuracy                           0.93       360", "accuracy", 0.93),
        ("100%|###| 9/9 [00:01<00:00, 9.5it/s, loss=0.23]", "loss", 0.23),
        ("INFO:root:loss: 0.5", "loss", 0.5),
        ("iter 10: loss 2.31, time 12.5ms", "loss", 2.31),
        ("step 250: train loss 2.4, val loss 2.5", "val_loss", 2.5),
        ("step 250: train loss 2.4, val loss 2.5", "train_loss", 2.4),
        ("Validation Loss: 0.75", "val_loss", 0.75),
        ('[1] "RMSE: 0.5"', "rmse", 0.5),
        ("val/loss: 0.5", "val_loss", 0.5),
        ("précision : 0.5 / 0.7", "précision", 0.5),
        ("loss: 3, acc: 5", "loss", 3),
    ],
)
def test_a_value_follows_its_name(line: str, name: str, value: float) -> None:
    assert last(f"before\n{line}\nafter 3\n", name) == value


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("val_loss: 0.5", "loss"),
        ("train_loss=0.5", "loss"),
        ("loss_scale=128", "loss"),
        ("losses: 3", "loss"),
        ("python train.py --loss 0.5", "loss"),
        ("loss info 5", "loss"),
        ("val_loss improved from 0.5 to 0.4", "val_loss"),
        ("loss 2024-11-28", "loss"),
        ("loss 12:30:01", "loss"),
        ("loss 1.2.3", "loss"),
        ("loss 0,5", "loss"),
        ("loss: [0.5, 0.25]", "loss"),
        ("loss:\n0.5", "loss"),
        ("train loss 2.4, val loss 2.5", "loss"),
    ],
)
def test_other_words_and_values_do_not_count(line: str, name: str) -> None:
    assert last(f"{line}\n", name) is None


def test_the_name_as_it_is_written_counts_before_other_spellings() -> None:
    text = "train loss 1.5\nLoss: 0.75\nloss: 0.5\nLOSS: 7\n"
    assert last(text, "loss") == 0.5
    assert last(text.replace("loss: 0.5\n", "", 1), "loss") == 7


def test_nan_and_infinities_are_last_values_and_never_the_best() -> None:
    values = series("loss: 0.5\nloss: -inf\nloss: nan\n", "loss")
    assert values is not None
    assert values.least == values.greatest == (0.5, None)
    assert values.last is not None
    assert math.isnan(values.last[0])
    assert last("loss=Infinity\n", "loss") == math.inf


def test_colors_do_not_hide_a_value() -> None:
    line = (
        "\x1b[1m32/32\x1b[0m \x1b[32m━━━\x1b[0m \x1b[1mloss\x1b[0m: \x1b[31m0.25\x1b[0m"
    )
    assert last(line, "loss") == 0.25


def test_the_states_of_a_keras_bar_are_not_the_best() -> None:
    bar = "".join(
        f"{chr(8) * 30}\r{batch}/3 - accuracy: {value} - loss: 0.9"
        for batch, value in ((1, 1.0), (2, 0.75))
    )
    text = f"Epoch 1/2\n{bar}{chr(8) * 30}\r3/3 - accuracy: 0.5 - val_accuracy: 0.25\n"
    values = series(text, "accuracy")
    assert values is not None
    assert values.greatest == values.last == (0.5, None)
    assert last(text, "val_accuracy") == 0.25


def test_the_states_of_other_bars_count() -> None:
    values = series("1/2 loss=0.1\r2/2 loss=0.3\n", "loss")
    assert values is not None
    assert (values.least, values.last) == ((0.1, None), (0.3, None))


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("epoch 3: loss 0.5", 3),
        ("{'loss': 0.5, 'epoch': 1.5}", 1.5),
        ('{"global_step": 1000, "loss": 0.5}', 1000),
        ("[10]\ttrain-loss:0.3 loss:0.5", 10),
        ("Epoch [4/10], loss: 0.5", 4),
        ("loss 0.5", None),
    ],
)
def test_the_step_is_on_the_line(line: str, step: float | None) -> None:
    values = series(f"epoch 99\n{line}\nstep 98\n", "loss")
    assert values is not None
    assert values.last == (0.5, step)


def test_a_pattern_of_the_user_is_the_only_form() -> None:
    metric = Metric("loss", "min", r"train loss ([\d.]+)")
    text = "train loss 0.5.\nloss: 0.1\ntrain loss 0.75\r\n"
    values = read(text, metric).choose(metric)
    assert values is not None
    assert (values.least, values.last) == ((0.5, None), (0.75, None))


def test_a_pattern_may_be_bound_to_the_ends_of_a_line() -> None:
    metric = Metric("x", pattern=r"^x (\S+)$")
    values = read("x 1\nx 2 y\rx 3", metric).choose(metric)
    assert values is not None
    assert (values.greatest, values.last) == ((3, None), (3, None))


def test_an_incomplete_line_waits_for_the_rest() -> None:
    metric = Metric("loss")
    reader = LogReader([metric])
    assert reader.consume(b"a\nloss: 0.2") == 2
    assert reader.choose(metric) is None
    assert reader.consume(b"loss: 0.25\n") == 11
    values = reader.choose(metric)
    assert values is not None
    assert values.last == (0.25, None)


TEXT = (
    "Epoch 1/2\n1/3 - loss: 0.75\b\b\b\r2/3 - loss: 0.5 - ä\r\n"
    "val loss: 3\x1b[0m\nstep 5 loss=nan\n\nloss: 1e-3 "
).encode()


@given(st.lists(st.integers(1, 30), max_size=20))
def test_any_split_gives_the_same(sizes: list[int]) -> None:
    metrics = (Metric("loss"), Metric("val_loss"), Metric("p", "", r"loss: (\S+)"))
    reader = LogReader(metrics)
    offset = end = 0
    for size in (*sizes, len(TEXT)):
        end = min(end + size, len(TEXT))
        is_end = end == len(TEXT)
        offset += reader.consume(TEXT[offset:end], is_end=is_end)
        # Another command continues from the state of this one.
        stored = json.loads(json.dumps(reader.to_data()))
        reader = LogReader(metrics)
        reader.restore(stored)
    assert offset == len(TEXT)
    at_once = read(TEXT.decode(), *metrics)
    for metric in metrics:
        assert repr(reader.choose(metric)) == repr(at_once.choose(metric))


def test_a_line_without_an_end_is_read_in_pieces() -> None:
    metric = Metric("loss")
    reader = LogReader([metric])
    data = b"loss: 0.5 " + b"." * (1 << 22)
    assert reader.consume(data) == len(data)
    assert reader.choose(metric) is not None
