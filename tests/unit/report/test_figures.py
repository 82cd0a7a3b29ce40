"""Figures as plain data for Plotly."""

import math

import pytest

from riseml.metrics.curves import Point
from riseml.report import arrays, figures
from riseml.report.axes import axis
from riseml.report.figures import Curve

LR = axis("lr", ["0.1", "0.001", "0.01"])
ACCURACY = axis("accuracy", [0.9, None, 0.5])
IDS = ["5.1", "5.2", "5.3"]


def test_parallel_coordinates_end_with_the_metric_and_have_no_odd_values() -> None:
    figure = figures.parallel_coordinates([LR, axis("<b>", ["x", "y", "x"])], ACCURACY)
    (trace,) = figure["data"]
    labels = [dimension["label"] for dimension in trace["dimensions"]]
    assert labels == ["lr", "&lt;b&gt;", "accuracy"]
    assert trace["dimensions"][0]["ticktext"] == ["0.001", "0.01", "0.1"]
    assert trace["dimensions"][0]["values"] == arrays.floats(LR.positions)
    # The experiment without a value is gray, the best has the last color.
    colors = arrays.floats([1.0, 0.0, 0.05])
    assert trace["line"]["color"] == colors
    assert trace["line"]["colorscale"][0] == [0, "#9a9a9a"]
    assert trace["line"]["colorscale"][-1] == [1.0, "#fde725"]


def test_an_axis_of_one_value_has_a_length() -> None:
    figure = figures.parallel_coordinates([axis("a", ["3", "3", "3"])], ACCURACY)
    low, high = figure["data"][0]["dimensions"][0]["range"]
    assert low < 3 < high


def test_a_scatter_leaves_out_experiments_without_a_value() -> None:
    figure = figures.scatter(LR, ACCURACY, IDS)
    (trace,) = figure["data"]
    assert trace["text"] == ["5.1", "5.3"]
    assert trace["y"] == arrays.floats([0.9, 0.5])
    assert trace["x"] == arrays.floats([-1, -2])
    assert figure["layout"]["xaxis"]["ticktext"] == ["0.001", "0.01", "0.1"]


def test_importance_has_the_most_important_at_the_top() -> None:
    (trace,) = figures.importance({"lr": 0.75, "opt": 0.25})["data"]
    assert (trace["y"], trace["x"]) == (["opt", "lr"], [0.25, 0.75])


def test_curves_have_steps_and_times_since_the_start() -> None:
    points = [Point(10, 1005.0, 0.5), Point(20, 1010.0, 0.25)]
    figure = figures.curves("loss", [Curve("5.1", points, 1000.0)], {"5.1": "#fff"}, 10)
    (trace,) = figure["curves"]
    assert figure["label"] == "loss"
    assert (trace["x0"], trace["dx"], trace["color"]) == (10, 10, "#fff")
    assert trace["times"] == arrays.floats([5, 10])
    assert trace["y"] == arrays.floats([0.5, 0.25])


def test_points_without_steps_are_counted_and_without_times_have_none() -> None:
    points = [Point(None, None, 3), Point(7, 5.0, math.nan)]
    (trace,) = figures.curves("loss", [Curve("5", points)], {}, 10)["curves"]
    assert (trace["x0"], trace["dx"]) == (1, 1)
    assert "times" not in trace
    assert "color" not in trace


@pytest.mark.parametrize(
    ("lines", "points"), [(1, 1000), (130, 1000), (1300, 100), (10**6, 20), (0, 1000)]
)
def test_all_curves_of_a_page_share_its_size(lines: int, points: int) -> None:
    assert figures.limit_of(lines) == points


def test_many_lines_are_colored_by_the_metric() -> None:
    ids = [f"5.{sub}" for sub in range(1, 13)]
    metric = axis("acc", [None, *range(11)])
    colors = figures.line_colors(metric, ids)
    assert (colors["5.1"], colors["5.2"], colors["5.12"]) == (
        "#9a9a9a",
        "#440154",
        "#fde725",
    )
    diverged = axis("loss", [*range(1, 12), 1e75])
    colors = figures.line_colors(diverged, ids)
    assert len(set(colors.values())) > 8
    assert colors["5.12"] == "#fde725"
    # Plotly's own colors tell few lines apart better.
    assert figures.line_colors(metric, ids[:10]) == {}
    assert figures.line_colors(None, ids) == {}
