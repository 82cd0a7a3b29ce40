"""Table of a set's results: parameters and reported values of its experiments, sorted, the best one marked."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from riseml import ids
from riseml.engines import Chunk, Engine, LogQuery
from riseml.errors import InvalidInputError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus

# A metric whose name has one of these words is better when it is small.
_SMALLER_IS_BETTER = frozenset(
    {
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
    }
)
# Names of metrics are looked for in so many lines at the end of a log.
_SUGGESTION_LINES = 200


@dataclass(frozen=True)
class Results:
    """The experiments of a run as sorted rows.

    `parameters` and `metrics` are the names that occur, in the order of columns. `best`
    is the id of the best experiment by `metric`, None where there is nothing to compare.
    `largest` says whether the largest value is the best. `suggested` are names that occur
    in the log of a run without results. `missing` are metrics of riseml.yml that no
    experiment has a value of. `has_ended` says whether no value can follow.
    """

    id: str
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[ExperimentStatus, ...]
    metric: str | None = None
    largest: bool = True
    best: str | None = None
    suggested: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    has_ended: bool = False


def set_id(id: Id) -> Id:
    """Return the id of a run.

    Raises:
        InvalidInputError: it is the id of an experiment of a set, or of a job.
    """
    if id.kind != "experiment" or id.sub is not None:
        raise InvalidInputError(
            f"{id} is not a set",
            "Results compare the experiments of a set, such as 14.",
        )
    return id


def tabulate(
    run: SetStatus,
    *,
    sort: str | None = None,
    largest: bool | None = None,
    top: int | None = None,
) -> Results:
    """Return the results of a run.

    Rows are sorted by `sort`, a metric or a parameter, the best first; without `sort`
    they stay in the order of the set. `largest` says whether the largest value is the
    best; None decides by the mode in riseml.yml, else by the name of the metric (`loss`
    and the like are better when small). Experiments without a finite number come last.
    `top` keeps the first rows. Without `sort`, the first metric that has a mode in
    riseml.yml decides which experiment is the best; if none has one, none is the best.

    Raises:
        InvalidInputError: nothing is called `sort`, or `top` is not positive.
    """
    if top is not None and top < 1:
        raise InvalidInputError(f"cannot show the top {top}", "Ask for 1 or more.")
    parameters = _names(experiment.parameters for experiment in run.experiments)
    metrics = _in_order(run, _names(map(_reported, run.experiments)))
    if sort not in {None, *metrics, *parameters}:
        raise _unknown_name(str(sort), run, metrics, parameters)
    modes = _modes(run)
    metric = sort or next(iter(modes), "")
    if largest is None:
        largest = _is_largest_best(metric, metrics, modes)
    ranked = _sorted(run.experiments, metric, largest=largest)
    rows = run.experiments
    if sort:
        rows = ranked
    best = None
    # Parameters are chosen, not measured, so none of their values is the best.
    if metric and metric in metrics:
        best = _best(ranked, metric)
    missing = [item.name for item in run.metrics if item.name not in metrics]
    return Results(
        id=run.id,
        missing=tuple(missing),
        parameters=parameters,
        metrics=metrics,
        rows=rows[:top],
        metric=metric or None,
        largest=largest,
        best=best,
        has_ended=run.state.is_terminal,
    )


def _modes(run: SetStatus) -> dict[str, str]:
    """Return the modes of the metrics in riseml.yml that have one."""
    modes = {}
    for metric in run.metrics:
        if metric.mode:
            modes[metric.name] = metric.mode
    return modes


def _is_largest_best(
    metric: str, metrics: tuple[str, ...], modes: Mapping[str, str]
) -> bool:
    if metric in modes:
        return modes[metric] == "max"
    return metric in metrics and is_larger_better(metric)


def with_suggestions(results: Results, engine: Engine) -> Results:
    """Return results with names of metrics from the log of the first experiment that has any."""
    # Only runs without results need it.
    from riseml.metrics import suggest

    started = filter(_has_started, results.rows)
    first = next(started, None)
    if first is None:
        return results
    query = LogQuery(ids.parse(first.id), follow=False, tail=_SUGGESTION_LINES)
    log = b""
    for event in engine.logs(query):
        if isinstance(event, Chunk):
            log += event.data
    names = suggest.metric_names(log.decode("utf-8", "replace"))
    return replace(results, suggested=names)


def _has_started(row: ExperimentStatus) -> bool:
    return row.started is not None


def number(value: Any) -> float | None:
    """Return a reported value as a comparable number; None for NaN, infinities and other values."""
    try:
        # Programs may report success as true or false, which count as 1 and 0.
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(result):
        return None
    return result


def _in_order(run: SetStatus, metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of results: those of riseml.yml first, as they stand there."""
    names = [metric.name for metric in run.metrics]
    named = filter(metrics.__contains__, names)
    ordered = dict.fromkeys((*named, *metrics))
    return tuple(ordered)


def _unknown_name(
    name: str, run: SetStatus, metrics: tuple[str, ...], parameters: tuple[str, ...]
) -> InvalidInputError:
    advice = "Nothing was reported."
    if not run.state.is_terminal:
        advice = "Nothing has been reported yet."
    if metrics:
        advice = f"Reported: {', '.join(metrics)}."
    if parameters:
        advice += f" Parameters: {', '.join(parameters)}."
    return InvalidInputError(f"no result or parameter is called '{name}'", advice)


def _names(mappings: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    names: set[str] = set()
    for mapping in mappings:
        names.update(mapping)
    return tuple(sorted(names))


def _sorted(
    rows: Iterable[ExperimentStatus], name: str, *, largest: bool
) -> tuple[ExperimentStatus, ...]:
    return tuple(sorted(rows, key=lambda row: _rank(row, name, largest=largest)))


def _best(ranked: Iterable[ExperimentStatus], metric: str) -> str | None:
    """Return the id of the first row that has a number, None if no row has one."""
    for row in ranked:
        if number(_value(row, metric)) is not None:
            return row.id
    return None


def _value(row: ExperimentStatus, name: str) -> Any:
    """Return the value of a column; a metric hides a parameter of the same name."""
    return _reported(row).get(name, row.parameters.get(name))


def _reported(row: ExperimentStatus) -> Mapping[str, Any]:
    return row.result or {}


def _rank(row: ExperimentStatus, name: str, *, largest: bool) -> tuple[int, float, int]:
    """Return a sort key: rows with numbers first, the best of them first, equal ones by sub."""
    value = number(_value(row, name))
    sub = row.sub or 0
    if value is None:
        return (1, 0.0, sub)
    return (0, -value if largest else value, sub)


def is_larger_better(metric: str) -> bool:
    """Guess from the name of a metric whether large values of it are better."""
    words = metric.lower().replace("-", "_").split("_")
    return _SMALLER_IS_BETTER.isdisjoint(words)
