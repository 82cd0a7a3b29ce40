"""Figures of a report, as plain data for Plotly's JavaScript: traces and a layout."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from riseml.dataclass import dataclass
from riseml.metrics.curves import Point, thinned
from riseml.report import arrays
from riseml.report.axes import Axis, finite_of

Figure = dict[str, Any]

MAX_POINTS = 130_000
"""Points of all curves of a page together: they keep it below 7 MB."""
MAX_METRICS = 24
"""Metrics whose curves a page shows."""

_MIN_POINTS, _CURVE_POINTS = 20, 1000
# Lines of experiments without a value of the metric are gray, the others have these colors.
_GRAY = "#9a9a9a"
_COLORS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
_GRAY_SHARE = 0.05
_AXIS_PIXELS = 110
# What is so many times the distance of the quartiles away from them is far from the others.
_FAR = 1.5


@dataclass(frozen=True)
class Curve:
    """The points of one metric of one experiment; `start` is when the experiment began (Unix seconds)."""

    experiment: str
    points: Sequence[Point]
    start: float | None = None


def parallel_coordinates(axes: Sequence[Axis], metric: Axis) -> Figure:
    """Return a line for each experiment through its values; the metric is the last axis and the color."""
    dimensions = []
    for axis in (*axes, metric):
        positions, texts = zip(*axis.ticks, strict=True)
        margin = (max(axis.positions) - min(axis.positions)) or 1.0
        dimensions.append(
            {
                "label": _label(axis.name),
                "values": arrays.floats(axis.positions),
                "tickvals": list(positions),
                # Unlike those of other plots, these texts are no HTML.
                "ticktext": list(texts),
                # An axis of one value would have no length.
                "range": _range(axis.positions, 0.02 * margin),
            }
        )
    line = {
        "color": arrays.floats(_colors(metric)),
        "colorscale": _scale(),
        "cmin": 0,
        "cmax": 1,
    }
    width = max(len(dimensions) * _AXIS_PIXELS, 600)
    return {
        "data": [{"type": "parcoords", "dimensions": dimensions, "line": line}],
        "layout": {"height": 420, "margin": {"t": 60, "l": 70, "r": 70}},
        "width": width,
    }


def scatter(parameter: Axis, metric: Axis, experiments: Sequence[str]) -> Figure:
    """Return a point for each experiment that has a finite value of the metric."""
    xs, ys, names = [], [], []
    rows = zip(parameter.positions, metric.numbers, experiments, strict=True)
    for x, y, name in rows:
        if y is not None:
            xs.append(x)
            ys.append(y)
            names.append(name)
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": arrays.floats(xs),
        "y": arrays.floats(ys),
        "text": names,
        "hovertemplate": "%{text}: %{y}<extra></extra>",
    }
    return {
        "data": [trace],
        "layout": {
            "height": 300,
            "xaxis": {"title": {"text": _label(parameter.name)}, **_ticks(parameter)},
            "yaxis": {"title": {"text": _label(metric.name)}, **_value_axis(metric)},
        },
    }


def importance(shares: Mapping[str, float]) -> Figure:
    """Return a bar for each parameter, the most important one at the top."""
    names = list(shares)[::-1]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [round(shares[name], 4) for name in names],
        "y": list(map(_label, names)),
        "hovertemplate": "%{y}: %{x:.0%}<extra></extra>",
    }
    return {
        "data": [trace],
        "layout": {
            "height": 120 + 28 * len(names),
            "xaxis": {"tickformat": ".0%", "range": [0, 1]},
            "yaxis": {"type": "category", "automargin": True},
        },
    }


def curves(
    name: str, lines: Sequence[Curve], colors: Mapping[str, str], limit: int
) -> Figure:
    """Return the curves of a metric over steps, and where times are known also over time.

    `limit` is the largest number of points of a curve. `colors` are those of
    experiments. A trace has its times as `times`, in seconds since its experiment began.
    """
    traces = []
    for line in lines:
        points = thinned(line.points, limit)
        trace: Figure = {
            "name": line.experiment,
            "y": arrays.floats([point.value for point in points]),
            **arrays.steps(_steps(points)),
        }
        times = _times(points, line.start)
        if times:
            trace["times"] = arrays.floats(times)
        if line.experiment in colors:
            trace["color"] = colors[line.experiment]
        traces.append(trace)
    return {"name": name, "label": _label(name), "curves": traces}


def limit_of(lines: int) -> int:
    """Return how many points each of so many curves may have."""
    return max(_MIN_POINTS, min(_CURVE_POINTS, MAX_POINTS // max(lines, 1)))


def line_colors(metric: Axis | None, experiments: Sequence[str]) -> dict[str, str]:
    """Return the colors of experiments by their value of a metric; none if Plotly's own are better."""
    few = 10
    if metric is None or len(experiments) <= few:
        return {}
    colors = {}
    for name, share in zip(experiments, _colors(metric), strict=True):
        colors[name] = _color(share)
    return colors


def _colors(metric: Axis) -> list[float]:
    """Return a position on the color scale for each experiment, 0 for one without a value."""
    positions = [
        position
        for position, value in zip(metric.positions, metric.numbers, strict=True)
        if value is not None
    ]
    low, high = _usual_range(positions)
    shares = []
    for position, value in zip(metric.positions, metric.numbers, strict=True):
        share = (min(max(position, low), high) - low) / ((high - low) or 1.0)
        color = _GRAY_SHARE + (1 - _GRAY_SHARE) * share
        shares.append(0.0 if value is None else color)
    return shares


def _usual_range(positions: Sequence[float]) -> tuple[float, float]:
    """Return the range of positions without those far from the others.

    A training that has diverged would leave one color to all others.
    """
    ordered = sorted(positions)
    quarter = len(ordered) // 4
    lower, upper = ordered[quarter], ordered[-1 - quarter]
    margin = _FAR * (upper - lower)
    if not margin:
        return ordered[0], ordered[-1]
    return max(ordered[0], lower - margin), min(ordered[-1], upper + margin)


def _scale() -> list[list[Any]]:
    scale: list[list[Any]] = [[0, _GRAY], [_GRAY_SHARE * 0.99, _GRAY]]
    for index, color in enumerate(_COLORS):
        share = index / (len(_COLORS) - 1)
        scale.append([_GRAY_SHARE + (1 - _GRAY_SHARE) * share, color])
    return scale


def _color(share: float) -> str:
    if share == 0:
        return _GRAY
    position = (share - _GRAY_SHARE) / (1 - _GRAY_SHARE) * (len(_COLORS) - 1)
    index = min(int(position), len(_COLORS) - 2)
    first, second = _COLORS[index], _COLORS[index + 1]
    weight = position - index
    mixed = []
    for start in (1, 3, 5):
        low, high = (
            int(first[start : start + 2], 16),
            int(second[start : start + 2], 16),
        )
        mixed.append(f"{round(low + (high - low) * weight):02x}")
    return f"#{''.join(mixed)}"


def _steps(points: Sequence[Point]) -> list[float]:
    """Return the steps of points, or their numbers if any has no step."""
    steps = finite_of(point.step for point in points)
    if len(steps) == len(points):
        return list(map(float, steps))
    return list(map(float, range(1, len(points) + 1)))


def _times(points: Sequence[Point], start: float | None) -> list[float]:
    """Return seconds since the start, nothing if they are not known."""
    times = finite_of(point.time for point in points)
    if len(times) < len(points):
        return []
    # Clocks of machines differ.
    first = min(*times, start or times[0])
    return [time - first for time in times]


def _range(positions: Sequence[float], margin: float) -> list[float]:
    return [min(positions) - margin, max(positions) + margin]


def _ticks(axis: Axis) -> Figure:
    positions, texts = zip(*axis.ticks, strict=True)
    return {
        "tickmode": "array",
        "tickvals": list(positions),
        "ticktext": list(map(_label, texts)),
    }


def _value_axis(metric: Axis) -> Figure:
    return {"type": "log" if metric.is_logarithmic else "linear"}


def _label(text: str) -> str:
    """Return a text for Plotly, which reads some HTML."""
    return html.escape(text, quote=False)
