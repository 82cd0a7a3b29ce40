"""The table over a set: parameters and reported results of its experiments, sorted, the best one marked; pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from riseml.errors import InvalidInputError
from riseml.status import ExperimentStatus, SetStatus

# Without --max or --min: what is reported under such a name is better when it is small.
_SMALLER_IS_BETTER = (
    "loss",
    "error",
    "err",
    "cost",
    "perplexity",
    "ppl",
    "rmse",
    "mse",
    "mae",
    "time",
    "seconds",
)


@dataclass(frozen=True)
class Results:
    """Rows in their order; `best` is the id of the best experiment by `metric` (None: nothing to compare).

    `parameters` and `metrics` are the names seen, in the order of columns.
    """

    id: str
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[ExperimentStatus, ...]
    metric: str | None = None
    largest: bool = True
    best: str | None = None


def tabulate(
    run: SetStatus,
    *,
    sort: str | None = None,
    largest: bool | None = None,
    top: int | None = None,
) -> Results:
    """Return the results of a run.

    Rows come best first by `sort`, a metric or a parameter; else in the order of the grid. `largest` says what best
    means (None: by the metric's name, `loss` and its like are better when small). Experiments without a number there
    come last, NaN is none. `top` keeps the first rows. Without `sort` the first metric finds the best.

    Raises:
        InvalidInputError: nothing is called `sort`, the advice lists what is; or `top` is not positive.
    """
    if top is not None and top < 1:
        raise InvalidInputError(f"cannot show the top {top}", "Ask for 1 or more.")
    parameters = _names(experiment.parameters for experiment in run.experiments)
    metrics = _names(experiment.result or {} for experiment in run.experiments)
    if sort is not None and sort not in metrics and sort not in parameters:
        raise InvalidInputError(
            f"no result or parameter is called '{sort}'", _seen(metrics, parameters)
        )
    metric = sort or next(iter(metrics), None)
    descending = (
        metric in metrics and _is_larger_better(metric or "")
        if largest is None
        else largest
    )
    rows = (
        sorted(run.experiments, key=lambda row: _rank(row, sort, descending))
        if sort
        else list(run.experiments)
    )
    best = (
        _best(run, metric, descending)
        if metric in metrics and metric is not None
        else None
    )
    return Results(
        run.id, parameters, metrics, tuple(rows[:top]), metric, descending, best
    )


def number(value: Any) -> float | None:
    """Return a reported value as a number to compare, None where it is none (NaN included)."""
    if isinstance(value, bool):
        return float(value)
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(result) else result


def _best(run: SetStatus, metric: str, descending: bool) -> str | None:
    ranked = [row for row in run.experiments if number(_value(row, metric)) is not None]
    best = min(ranked, key=lambda row: _rank(row, metric, descending), default=None)
    return best.id if best else None


def _names(mappings: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted({name for mapping in mappings for name in mapping}))


def _value(row: ExperimentStatus, name: str) -> Any:
    result = row.result or {}
    return result[name] if name in result else row.parameters.get(name)


def _rank(row: ExperimentStatus, name: str, descending: bool) -> tuple[int, float, int]:
    value = number(_value(row, name))
    if value is None:
        return (1, 0.0, row.sub or 0)
    return (0, -value if descending else value, row.sub or 0)


def _is_larger_better(name: str) -> bool:
    words = name.lower().replace("-", "_").split("_")
    return not any(word in _SMALLER_IS_BETTER for word in words)


def _seen(metrics: tuple[str, ...], parameters: tuple[str, ...]) -> str:
    reported = (
        f"Reported so far: {', '.join(metrics)}."
        if metrics
        else "Nothing has been reported yet."
    )
    return (
        f"{reported} Parameters: {', '.join(parameters)}." if parameters else reported
    )
