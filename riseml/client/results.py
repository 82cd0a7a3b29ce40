"""Table of results: parameters and reported values of experiments, sorted, the best one marked."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain, filterfalse
from operator import attrgetter, itemgetter
from typing import Any

from riseml import ids
from riseml.client import result_filter
from riseml.client.result_fields import ResultColumn, ResultColumns, Row
from riseml.dataclass import dataclass, replace
from riseml.engines import Chunk, Engine, LogQuery
from riseml.errors import InvalidInputError
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
    """The experiments of runs as sorted rows.

    `ids` are those of the runs, and `runs` has the run of each row. `parameters` and
    `metrics` are the names that occur, in the order
    of columns, and `columns` are those of a table. `best` is the id of the best experiment
    by `metric`, None where there is nothing to compare. `largest` says whether the largest
    value is the best. `suggested` are names that occur in the log of a run without results.
    `missing` are metrics of riseml.yml that no experiment has a value of. `has_ended` says
    whether no value can follow.
    """

    ids: tuple[str, ...]
    parameters: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[ExperimentStatus, ...]
    columns: tuple[ResultColumn, ...] = ()
    runs: tuple[SetStatus, ...] = ()
    metric: str | None = None
    largest: bool = True
    best: str | None = None
    suggested: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    has_ended: bool = False

    @property
    def id(self) -> str:
        """The ids of all runs, separated by spaces."""
        return " ".join(self.ids)

    def values(self, column: ResultColumn) -> list[Any]:
        """Return the values of a column, None where an experiment has none."""
        return list(map(column.value, zip(self.rows, self.runs, strict=True)))

    # pandas has no types, and is no dependency.
    def to_pandas(self) -> Any:
        """Return the columns as a data frame, with numbers and times as such.

        Raises:
            RiseMLError: pandas is not installed.
        """
        from riseml.client import result_frame

        return result_frame.to_pandas(self)

    def _repr_html_(self) -> str:
        """Return the rows as a table for notebooks."""
        from riseml.client import result_frame

        return result_frame.to_html(self)


def tabulate(
    runs: SetStatus | Sequence[SetStatus],
    *,
    sort: str | None = None,
    largest: bool | None = None,
    top: int | None = None,
    where: str | None = None,
    columns: Sequence[str] = (),
) -> Results:
    """Return the results of a run, or of several.

    Rows are sorted by `sort`, a result, a parameter or a field, the best first; without
    `sort` they stay in their order, unless `top` asks for the best ones. `largest` says
    whether the largest value is the best; None decides by the mode in riseml.yml, else by
    the name of the metric (`loss` and the like are better when small). Experiments without
    a finite number come last. `where` is a filter (`accuracy > 0.9 and lr < 0.1`). `top`
    keeps the best rows, or the first ones if nothing decides which is the best. `columns`
    are the names of the columns of a table; without any it has id, state, parameters and
    results. Without `sort`, the first metric that has a mode in riseml.yml decides which
    experiment is the best; if none has one, none is the best.

    Raises:
        InvalidInputError: a name is unknown, `where` is not a filter, or `top` is not
            positive.
    """
    if top is not None and top < 1:
        raise InvalidInputError(f"cannot show the top {top}", "Ask for 1 or more.")
    if isinstance(runs, SetStatus):
        runs = (runs,)
    by_id = _runs_by_experiment(runs)
    experiments = list(map(itemgetter(0), by_id.values()))
    parameters = _names(map(attrgetter("parameters"), experiments))
    metrics = _in_order(runs, _names(map(_reported, experiments)))
    all_columns = ResultColumns(parameters, metrics)
    find = partial(_find, columns=all_columns, runs=runs)
    chosen = tuple(map(find, columns))
    modes = modes_of(runs)
    metric = sort or next(iter(modes), None)
    column = None
    if sort:
        column = find(sort)
    elif metric:
        column = all_columns.find(metric)
    if largest is None:
        largest = _is_largest_best(column, modes)
    rows = list(by_id.values())
    if where is not None:
        rows = list(filter(result_filter.parse(where, all_columns), rows))
    best = None
    if column is not None:
        ranked = _sorted(rows, column, largest=largest)
        # The first experiments of a grid would not be the top ones.
        rows = ranked if sort or top else rows
        # Parameters are chosen, not measured, so none of their values is the best.
        best = _best(ranked, column) if column.kind == "result" else None
    return Results(
        ids=tuple(map(attrgetter("id"), runs)),
        missing=_missing(runs, metrics),
        parameters=parameters,
        metrics=metrics,
        rows=tuple(map(itemgetter(0), rows[:top])),
        columns=chosen or all_columns.usual,
        runs=tuple(map(itemgetter(1), rows[:top])),
        metric=metric,
        largest=largest,
        best=best,
        has_ended=_have_ended(runs),
    )


def _runs_by_experiment(runs: Iterable[SetStatus]) -> dict[str, Row]:
    """Return all experiments with their runs by id; a run that occurs twice counts once."""
    rows: dict[str, Row] = {}
    for run in runs:
        summary = replace(run, experiments=(), jobs=())
        for experiment in run.experiments:
            rows[experiment.id] = experiment, summary
    return rows


def _find(name: str, columns: ResultColumns, runs: Sequence[SetStatus]) -> ResultColumn:
    column = columns.find(name)
    if column is None:
        raise _unknown_name(name, columns, runs)
    return column


def _have_ended(runs: Iterable[SetStatus]) -> bool:
    return all(map(attrgetter("state.is_terminal"), runs))


def _missing(runs: Iterable[SetStatus], metrics: Collection[str]) -> tuple[str, ...]:
    """Return the metrics of riseml.yml without any value."""
    return tuple(filterfalse(metrics.__contains__, dict.fromkeys(_named(runs))))


def _named(runs: Iterable[SetStatus]) -> Iterator[str]:
    """Yield the names of the metrics in riseml.yml."""
    metrics = chain.from_iterable(map(attrgetter("metrics"), runs))
    return map(attrgetter("name"), metrics)


def modes_of(runs: Iterable[SetStatus]) -> dict[str, str]:
    """Return the modes of the metrics in riseml.yml that have one, the same in all runs."""
    modes: dict[str, set[str]] = {}
    for metric in chain.from_iterable(map(attrgetter("metrics"), runs)):
        if metric.mode:
            modes.setdefault(metric.name, set()).add(metric.mode)
    return {name: min(words) for name, words in modes.items() if len(words) == 1}


def _is_largest_best(column: ResultColumn | None, modes: Mapping[str, str]) -> bool:
    if column is None or column.kind != "result":
        return False
    if column.name in modes:
        return modes[column.name] == "max"
    return is_larger_better(column.name)


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


def _in_order(runs: Iterable[SetStatus], metrics: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of results: those of riseml.yml first, as they stand there."""
    named = filter(metrics.__contains__, _named(runs))
    return tuple(dict.fromkeys((*named, *metrics)))


def _unknown_name(
    name: str, columns: ResultColumns, runs: Sequence[SetStatus]
) -> InvalidInputError:
    advice = "Nothing was reported."
    if not _have_ended(runs):
        advice = "Nothing has been reported yet."
    if columns.results:
        names = map(attrgetter("name"), columns.results)
        advice = f"Reported: {', '.join(names)}."
    if columns.parameters:
        names = map(attrgetter("name"), columns.parameters)
        advice += f" Parameters: {', '.join(names)}."
    return InvalidInputError(f"no result or parameter is called '{name}'", advice)


def _names(mappings: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    names: set[str] = set()
    for mapping in mappings:
        names.update(mapping)
    return tuple(sorted(names))


def _sorted(rows: Iterable[Row], column: ResultColumn, *, largest: bool) -> list[Row]:
    return sorted(rows, key=partial(_rank, column=column, largest=largest))


def _best(ranked: Sequence[Row], column: ResultColumn) -> str | None:
    """Return the id of the first row that has a number, None if no row has one."""
    if not ranked or number(column.value(ranked[0])) is None:
        return None
    return ranked[0][0].id


def _reported(row: ExperimentStatus) -> Mapping[str, Any]:
    return row.results


def _rank(row: Row, *, column: ResultColumn, largest: bool) -> tuple[int, float]:
    """Return a sort key: rows with numbers first, and the best of them first."""
    value = column.value(row)
    if isinstance(value, datetime):
        value = value.timestamp()
    value = number(value)
    if value is None:
        return 1, 0.0
    return 0, -value if largest else value


def is_larger_better(metric: str) -> bool:
    """Guess from the name of a metric whether large values of it are better."""
    words = metric.lower().replace("-", "_").split("_")
    return _SMALLER_IS_BETTER.isdisjoint(words)
