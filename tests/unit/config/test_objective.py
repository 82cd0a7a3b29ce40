"""Metric of a search: named there or in `results`, with one mode."""

import pytest

from riseml.config import TrainConfig, load_text
from riseml.plan import Metric
from tests.unit.config.test_distributions import faults

FILE = """project: ab
train:
  image: python:3.12
  run: fit {{x}}
  parameters: {x: [1, 2]}
  results: RESULTS
  search: SEARCH
"""


def text(search: str, results: str = "{}") -> str:
    return FILE.replace("SEARCH", search).replace("RESULTS", results)


def train(search: str, results: str = "{}") -> TrainConfig:
    loaded = load_text(text(search, results)).train
    assert loaded
    return loaded


def test_a_metric_of_the_search_is_read_like_those_of_results() -> None:
    config = train("{method: random, trials: 1, metric: loss, mode: min}")
    assert config.results == (Metric("loss", "min"),)


def test_a_metric_of_results_keeps_its_pattern_and_comes_first() -> None:
    config = train(
        "{method: grid, metric: loss}",
        "{acc: max, loss: {mode: min, pattern: 'l (.+)'}}",
    )
    assert config.results == (
        Metric("loss", "min", "l (.+)"),
        Metric("acc", "max"),
    )
    assert (config.search.metric, config.search.mode) == ("loss", "min")


def test_the_mode_of_the_search_is_that_of_the_metric() -> None:
    config = train("{method: grid, metric: loss, mode: min}", "[acc, loss]")
    assert config.results == (Metric("loss", "min"), Metric("acc"))


def test_a_search_without_a_metric_leaves_results_alone() -> None:
    config = train("{method: random, trials: 1}", "{acc: max}")
    assert config.results == (Metric("acc", "max"),)
    assert config.search.metric == ""


@pytest.mark.parametrize(
    ("search", "results", "position", "message", "advice"),
    [
        (
            "{method: grid, metric: loss}",
            "{}",
            "7:26",
            "the search does not know whether small or large values of 'loss' are best",
            "Write mode: min or mode: max.",
        ),
        (
            "{method: grid, mode: min}",
            "{}",
            "7:26",
            "mode has no effect without metric",
            "Write for example metric: val_loss, mode: min.",
        ),
        (
            "{method: grid, metric: loss, mode: max}",
            "{loss: min}",
            "7:46",
            "mode is max, but results say otherwise about 'loss'",
            "Remove one of the two.",
        ),
    ],
)
def test_faults(
    search: str, results: str, position: str, message: str, advice: str
) -> None:
    assert faults(text(search, results)) == [f"{position} {message} / {advice}"]


def test_the_old_name_of_the_method_is_accepted_with_a_note() -> None:
    loaded = load_text(text("{strategy: random, trials: 1, seed: 3}"))
    assert loaded.train
    assert loaded.train.search.method == "random"
    [warning] = loaded.warnings
    assert warning.message == "'strategy' is now 'method'"
    assert (warning.line, warning.column) == (7, 12)
