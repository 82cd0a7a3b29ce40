"""Distributions in a riseml.yml: what they mean, and every fault with its position."""

import pytest

from riseml.config import load_text
from riseml.distributions import CHOICE, FLOAT, INT, Distribution
from tests.riseml_yml import load_with_faults

FILE = """project: ab
train:
  image: python:3.12
  run: fit {{x}}
  search: {method: random, trials: 2}
  parameters:
    x: VALUE
"""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{uniform: [0, 1]}", Distribution(FLOAT, "0", "1")),
        ("{uniform: [-0.50, 1e3]}", Distribution(FLOAT, "-0.5", "1000")),
        ("{uniform: [0, 0.5], step: 0.05}", Distribution(FLOAT, "0", "0.5", step="0.05")),
        ("{loguniform: [1e-5, .1]}", Distribution(FLOAT, "0.00001", "0.1", is_log=True)),
        ("{int: [1, 8]}", Distribution(INT, "1", "8", "1")),
        ("{int: [0x10, 512], step: 16}", Distribution(INT, "16", "512", "16")),
        ("{int: [1, 1024], log: true}", Distribution(INT, "1", "1024", "1", is_log=True)),
        ("{choice: [adam, 1, true, 'x y']}", Distribution(CHOICE, choices=("adam", "1", "true", "x y"))),
    ],
)  # fmt: skip
def test_meaning(value: str, expected: Distribution) -> None:
    train = load_text(FILE.replace("VALUE", value)).train
    assert train
    assert train.parameters == {"x": expected}


def faults(text: str) -> list[str]:
    """Return the errors of a file as `line:column message / advice`."""
    _, noted = load_with_faults(text)
    lines = []
    for fault in noted:
        if fault.severity == "error":
            position = f"{fault.line}:{fault.column}"
            lines.append(f"{position} {fault.message} / {fault.advice}")
    return lines


@pytest.mark.parametrize(
    ("value", "position", "message", "advice"),
    [
        (
            "{uniform: [2, 1]}",
            "7:18",
            "train.parameters.x.uniform begins with its larger number",
            "Write [1, 2].",
        ),
        (
            "{uniform: [1, 1]}",
            "7:18",
            "train.parameters.x.uniform has only one value",
            "Write 1 instead of a distribution.",
        ),
        (
            "{uniform: 3}",
            "7:18",
            "train.parameters.x.uniform must be two numbers, the smaller one first, not the number 3",
            "Write for example {uniform: [0, 1]}.",
        ),
        (
            "{uniform: [1, a]}",
            "7:22",
            "a bound of train.parameters.x.uniform must be a number, not 'a'",
            "Write for example {uniform: [0, 1]}.",
        ),
        (
            "{loguniform: [0, 1]}",
            "7:22",
            "a bound of train.parameters.x.loguniform must be a number above 0, not the number 0",
            "Write for example {loguniform: [1e-5, 0.1]}.",
        ),
        (
            "{loguniform: [1, 2], step: 1}",
            "7:29",
            "unknown key 'step' in train.parameters.x",
            "Only uniform and int have steps.",
        ),
        (
            "{uniform: [0, 1], step: 0.3}",
            "7:32",
            "the step 0.3 of train.parameters.x does not lead from 0 to 1",
            "Its last value would be 0.9.",
        ),
        (
            "{uniform: [0, 1], step: 2}",
            "7:32",
            "the step 2 of train.parameters.x does not lead from 0 to 1",
            "Its last value would be 0.",
        ),
        (
            "{uniform: [0, 1], step: 0}",
            "7:32",
            "train.parameters.x.step must be a number above 0, not the number 0",
            "Write for example step: 0.1.",
        ),
        (
            "{uniform: [1, 9], log: true}",
            "7:26",
            "unknown key 'log' in train.parameters.x",
            "Write {loguniform: [1e-5, 0.1]} for a logarithmic scale.",
        ),
        (
            "{int: [1, 2.5]}",
            "7:18",
            "a bound of train.parameters.x.int must be a whole number, not the number 2.5",
            "Write for example {int: [1, 8]}.",
        ),
        (
            "{int: [1, 9007199254740993]}",
            "7:18",
            "a bound of train.parameters.x.int must be a whole number, not the number 9007199254740993",
            "Write for example {int: [1, 8]}.",
        ),
        (
            "{int: [1, 3], step: 0.5}",
            "7:28",
            "train.parameters.x.step must be a whole number of at least 1, not the number 0.5",
            "Write for example step: 2.",
        ),
        (
            "{int: [0, 8], log: true}",
            "7:14",
            "a logarithmic scale begins above 0, but train.parameters.x begins at 0",
            "Begin it at 1, or remove log.",
        ),
        (
            "{int: [1, 8], log: true, step: 2}",
            "7:33",
            "train.parameters.x has a step, but a logarithmic scale has none",
            "Remove it.",
        ),
        (
            "{choice: []}",
            "7:17",
            "train.parameters.x.choice must be a list of values, not a list",
            "Write for example {choice: [adam, sgd]}.",
        ),
        (
            "{choice: [a, a]}",
            "7:21",
            "'a' appears twice in train.parameters.x.choice",
            "Remove one.",
        ),
        (
            "{choice: [a, [b]]}",
            "7:21",
            "a value of train.parameters.x.choice must be a number, text, true or false, not a list",
            "",
        ),
        (
            "{choice: [a], step: 1}",
            "7:22",
            "unknown key 'step' in train.parameters.x",
            "Only uniform and int have steps.",
        ),
        (
            "{uniform: [0, 1], int: [1, 2]}",
            "7:26",
            "unknown key 'int' in train.parameters.x",
            "A parameter has one distribution.",
        ),
        (
            "{uniform: [0, 1], base: 2}",
            "7:26",
            "unknown key 'base' in train.parameters.x",
            "Known keys: uniform, step.",
        ),
    ],
)
def test_faults(value: str, position: str, message: str, advice: str) -> None:
    expected = f"{position} {message} / {advice}"
    assert expected in faults(FILE.replace("VALUE", value))


def test_a_grid_has_no_distributions() -> None:
    text = FILE.replace("VALUE", "{uniform: [0, 1]}")
    grid = text.replace("  search: {method: random, trials: 2}\n", "")
    [fault] = faults(grid)
    assert fault == (
        "6:8 the search draws no values, so 'x' cannot have a distribution / "
        "List its values, or write for example search: {method: random, trials: 20}."
    )


def test_more_trials_than_combinations() -> None:
    text = FILE.replace("VALUE", "{int: [1, 3]}").replace("trials: 2", "trials: 4")
    [fault] = faults(text)
    assert fault == (
        "5:36 4 trials are more than the parameters' 3 combinations / "
        "Write method: grid to run all of them, or fewer trials."
    )


def test_values_without_a_sign_are_not_taken_for_options() -> None:
    text = """\
project: lab
train:
  image: busybox
  resources: {cpus: 1, mem: 100}
  parameters: {lr: {loguniform: [1e-5, 0.1]}, shift: {uniform: [-1, 1]}}
  search: {method: random, trials: 3}
  run: train --lr {{lr}} --shift {{shift}}
"""
    (warning,) = load_text(text).warnings
    assert "'shift'" in warning.message
