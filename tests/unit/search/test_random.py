"""Random search: reproducible, without repetitions, inside the bounds."""

import pytest

from riseml.config import load_text
from riseml.distributions import FLOAT, INT, Distribution, Parameters
from riseml.planner import plan
from riseml.search import Fault
from riseml.search.random import Options, faults, size, trials

PARAMETERS: Parameters = {
    "opt": ("adam", "sgd"),
    "lr": Distribution(FLOAT, "1e-5", "0.1", is_log=True),
    "hidden": Distribution(INT, "16", "512", step="16"),
}

FILE = """
project: ab
train:
  image: python:3.12
  run: fit {{lr}}
  parameters: {lr: {loguniform: [1e-5, 0.1]}}
  search: SEARCH
"""


def test_a_seed_gives_the_same_trials_on_every_machine() -> None:
    assert trials(PARAMETERS, Options(3, seed=7)) == [
        {"opt": "adam", "lr": "0.00280962", "hidden": "32"},
        {"opt": "adam", "lr": "1.06534e-05", "hidden": "256"},
        {"opt": "sgd", "lr": "0.0121798", "hidden": "272"},
    ]
    assert size(PARAMETERS, Options(3)) == 3


def test_more_trials_begin_with_those_of_fewer() -> None:
    few = trials(PARAMETERS, Options(5, seed=1))
    assert trials(PARAMETERS, Options(9, seed=1))[:5] == few
    assert few != trials(PARAMETERS, Options(5, seed=2))


def test_a_further_parameter_leaves_the_others_alone() -> None:
    more = {**PARAMETERS, "momentum": Distribution(FLOAT, "0", "1")}
    rows = trials(more, Options(5, seed=1))
    without = [{name: row[name] for name in PARAMETERS} for row in rows]
    expected = trials(PARAMETERS, Options(5, seed=1))
    assert without == expected


def test_no_assignment_is_made_twice() -> None:
    parameters: Parameters = {"a": ("1", "2", "2"), "b": ("x", "y", "z")}
    rows = trials(parameters, Options(6, seed=3))
    assert len({tuple(row.items()) for row in rows}) == 6
    assert list(faults(parameters, Options(6))) == []
    assert list(faults(parameters, Options(7))) == [
        Fault(
            "search.trials",
            "7 trials are more than the parameters' 6 combinations",
            "Write method: grid to run all of them, or fewer trials.",
        )
    ]


def test_a_large_finite_search_is_quick_to_plan() -> None:
    parameters: Parameters = {name: tuple("0123456789") for name in "abcd"}
    assert len(trials(parameters, Options(10_000, seed=1))) == 10_000


def test_each_run_has_a_seed_of_its_own_which_its_plan_shows() -> None:
    config = load_text(FILE.replace("SEARCH", "{method: random, trials: 2}")).config
    first, second = plan(config), plan(config)
    assert first.search.seed != second.search.seed
    assert first.search.method == "random"
    again = FILE.replace(
        "SEARCH", f"{{method: random, trials: 2, seed: {first.search.seed}}}"
    )
    assert plan(load_text(again).config).experiments == first.experiments


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_a_seed_of_the_file_is_kept(seed: int) -> None:
    text = FILE.replace("SEARCH", f"{{method: random, trials: 1, seed: {seed}}}")
    search = plan(load_text(text).config).search
    assert search.seed == seed
