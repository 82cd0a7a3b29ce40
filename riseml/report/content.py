"""What a report says: its tables, facts and figures, from runs and the curves of their experiments."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from riseml.dataclass import dataclass, field
from riseml.metrics.curves import Point
from riseml.report import figures
from riseml.report.axes import MISSING, Axis, axis, finite_of, number, short, text
from riseml.report.facts import Run, describe, duration, seconds_of, state, title
from riseml.report.figures import Curve, Figure
from riseml.report.importance import LEAST_EXPERIMENTS, importances
from riseml.status import ExperimentStatus, SetStatus

ExperimentCurves = Mapping[str, Sequence[Point]]
"""The curves of one experiment by metric."""

_MAX_PARAMETERS = 12


@dataclass(frozen=True)
class Choice:
    """The metric that colors and compares experiments, None if there is none.

    `largest` says whether its largest value is the best. `is_certain` says that the user
    chose it, so that one experiment may be called the best.
    """

    metric: str | None = None
    largest: bool = True
    is_certain: bool = False


@dataclass(frozen=True)
class Heading:
    """Heading of a column, which holds numbers or texts."""

    text: str
    is_number: bool = False


@dataclass(frozen=True)
class Cell:
    """Text of a cell in a table, and the number by which it is sorted, if it has one."""

    text: str
    order: float | None = None


@dataclass(frozen=True)
class Row:
    """Row of the table of results."""

    state: str
    is_best: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Content:
    """Everything that a page shows.

    `figures` are by the name of their place in the page. `notes` say what is not shown, and why.
    """

    title: str
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    curves: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Columns:
    """The experiments with their parameters and metrics; `main` is the metric that compares them."""

    experiments: Sequence[ExperimentStatus]
    parameters: Sequence[Axis]
    metrics: Sequence[Axis]
    main: Axis | None
    choice: Choice

    @property
    def ids(self) -> list[str]:
        """The ids of the experiments."""
        return [experiment.id for experiment in self.experiments]


def build(
    runs: Sequence[SetStatus],
    curves: Mapping[str, ExperimentCurves],
    choice: Choice,
    now: datetime,
    differences: Mapping[str, str] | None = None,
) -> Content:
    """Return the content of a report.

    `curves` are by the id of an experiment, `differences` by the id of a run.
    """
    columns = _columns(runs, choice)
    notes: list[str] = []
    colors = figures.line_colors(columns.main, columns.ids)
    facts = []
    for run in runs:
        facts.append(describe(run, now, (differences or {}).get(run.id, "")))
    return Content(
        title=title(runs),
        headings=_headings(columns),
        rows=_rows(columns, now),
        runs=tuple(facts),
        figures=_figures(columns, notes),
        curves=_curves(runs, curves, colors, notes),
        notes=tuple(notes),
    )


# Columns


def _columns(runs: Sequence[SetStatus], choice: Choice) -> _Columns:
    experiments = list(chain.from_iterable(run.experiments for run in runs))
    parameters = _axes(_parameter_names(experiments), experiments, _parameter)
    metrics = _axes(_metric_names(runs, experiments), experiments, _result)
    main = _main(metrics, choice)
    return _Columns(experiments, parameters, metrics, main, choice)


def _parameter_names(experiments: Iterable[ExperimentStatus]) -> list[str]:
    names = chain.from_iterable(experiment.parameters for experiment in experiments)
    return list(dict.fromkeys(names))


def _metric_names(
    runs: Iterable[SetStatus], experiments: Iterable[ExperimentStatus]
) -> list[str]:
    """Return the names of results: those of riseml.yml first."""
    reported: set[str] = set()
    for experiment in experiments:
        reported.update(experiment.results)
    named = filter(reported.__contains__, _named(runs))
    return list(dict.fromkeys((*named, *sorted(reported))))


def _named(runs: Iterable[SetStatus]) -> list[str]:
    """Return the names of metrics in riseml.yml."""
    metrics = chain.from_iterable(run.metrics for run in runs)
    return [metric.name for metric in metrics]


def _axes(
    names: Iterable[str], experiments: Sequence[ExperimentStatus], read: Any
) -> list[Axis]:
    axes = []
    for name in names:
        values = [read(experiment, name) for experiment in experiments]
        axes.append(axis(name, values))
    return axes


def _parameter(experiment: ExperimentStatus, name: str) -> Any:
    return experiment.parameters.get(name)


def _result(experiment: ExperimentStatus, name: str) -> Any:
    return experiment.results.get(name)


def _main(metrics: Iterable[Axis], choice: Choice) -> Axis | None:
    for metric in metrics:
        if metric.is_numeric and choice.metric in (None, metric.name):
            return metric
    return None


# Figures


def _figures(columns: _Columns, notes: list[str]) -> dict[str, Figure]:
    main = columns.main
    varying = list(filter(_varies, columns.parameters))
    if main is None or not varying:
        return {}
    visible = varying[:_MAX_PARAMETERS]
    _note_omissions(columns, main, varying, notes)
    others = list(filter(_varies, columns.metrics))
    between = [*visible, *filter(main.__ne__, others)][:_MAX_PARAMETERS]
    drawn = {"parallel": figures.parallel_coordinates(between, main)}
    for index, parameter in enumerate(visible):
        drawn[f"scatter-{index}"] = figures.scatter(parameter, main, columns.ids)
    shares = _importances(varying, main, columns.choice, notes)
    if shares:
        drawn["importance"] = figures.importance(shares)
    return drawn


def _varies(column: Axis) -> bool:
    return column.varies


def _note_omissions(
    columns: _Columns, main: Axis, varying: Sequence[Axis], notes: list[str]
) -> None:
    hidden = [parameter.name for parameter in varying[_MAX_PARAMETERS:]]
    if hidden:
        notes.append(f"Figures leave out the parameters {', '.join(hidden)}.")
    missing = main.numbers.count(None)
    if missing:
        notes.append(
            f"{missing} of {len(columns.experiments)} experiments have no finite value"
            f" of {main.name}. Their lines are gray and end at {MISSING}."
        )


def _importances(
    parameters: Sequence[Axis], metric: Axis, choice: Choice, notes: list[str]
) -> dict[str, float]:
    try:
        shares = importances(parameters, metric, largest=choice.largest)
    except ImportError:
        notes.append(
            "The importance of parameters needs Optuna: pip install 'riseml2[search]'."
        )
        return {}
    if not shares:
        notes.append(
            "The importance of parameters needs at least"
            f" {LEAST_EXPERIMENTS} experiments with a result."
        )
    return shares


def _curves(
    runs: Sequence[SetStatus],
    curves: Mapping[str, ExperimentCurves],
    colors: Mapping[str, str],
    notes: list[str],
) -> tuple[Figure, ...]:
    """Return the curves of each metric that some experiment has two or more values of."""
    lines = _lines(runs, curves)
    named = filter(lines.__contains__, _named(runs))
    names = list(dict.fromkeys((*named, *lines)))
    visible = names[: figures.MAX_METRICS]
    if len(names) > len(visible):
        notes.append(
            f"Of {len(names)} metrics with curves, the first {len(visible)} are shown."
        )
    limit = figures.limit_of(sum(len(lines[name]) for name in visible))
    drawn = []
    for name in visible:
        drawn.append(figures.curves(name, lines[name], colors, limit))
    return tuple(drawn)


def _lines(
    runs: Iterable[SetStatus], curves: Mapping[str, ExperimentCurves]
) -> dict[str, list[Curve]]:
    """Return the curves of all experiments by metric, without metrics of single values."""
    lines: dict[str, list[Curve]] = {}
    for experiment in chain.from_iterable(run.experiments for run in runs):
        start = experiment.started.timestamp() if experiment.started else None
        for name, points in curves.get(experiment.id, {}).items():
            lines.setdefault(name, []).append(Curve(experiment.id, points, start))
    return dict(filter(_has_curve, lines.items()))


def _has_curve(item: tuple[str, list[Curve]]) -> bool:
    return max(len(curve.points) for curve in item[1]) > 1


# Tables


def _headings(columns: _Columns) -> tuple[Heading, ...]:
    headings = [Heading("ID"), Heading("STATE")]
    for column in (*columns.parameters, *columns.metrics):
        headings.append(Heading(column.name, column.is_numeric))
    headings += [
        Heading("DURATION", is_number=True),
        Heading("ATTEMPTS", is_number=True),
    ]
    return tuple(headings)


def _rows(columns: _Columns, now: datetime) -> tuple[Row, ...]:
    best = _best(columns.main, columns.choice)
    rows = []
    for index, experiment in enumerate(columns.experiments):
        cells = [Cell(experiment.id, float(index)), Cell(state(experiment))]
        for parameter in columns.parameters:
            cells.append(_cell(_parameter(experiment, parameter.name)))
        for metric in columns.metrics:
            cells.append(_cell(_result(experiment, metric.name)))
        seconds = seconds_of(experiment, now)
        cells.append(Cell(duration(seconds), seconds))
        attempts = experiment.attempt + 1
        cells.append(Cell(str(attempts), float(attempts)))
        rows.append(Row(str(experiment.state), index == best, tuple(cells)))
    return tuple(rows)


def _best(main: Axis | None, choice: Choice) -> int | None:
    """Return the position of the best experiment; None unless the user chose the metric."""
    if main is None or not choice.is_certain:
        return None
    values = finite_of(main.numbers)
    best = max(values) if choice.largest else min(values)
    return main.numbers.index(best)


def _cell(value: Any) -> Cell:
    order = number(value)
    # A parameter is shown as the user wrote it.
    if isinstance(value, float) and order is not None:
        return Cell(short(value), order)
    return Cell(text(value), order)
