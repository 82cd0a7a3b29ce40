"""Command `riseml results`."""

import bisect
import itertools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import typer

from riseml.cli import (
    options,
    output,
    records,
    report,
    statuses,
    symbols,
    terminal,
    text,
)
from riseml.cli.documents import Document, StateName
from riseml.cli.records import MeasuredRecord
from riseml.cli.table import Column, cells_wide, render
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.client.results import Results, is_larger_better
from riseml.status import ExperimentStatus

Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="NAME",
        show_default=False,
        help="Sort by this result or parameter, best first.",
    ),
]
Largest = Annotated[
    bool | None,
    typer.Option(
        "--max/--min",
        show_default=False,
        help="Whether a large or a small value is best.",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        "--top",
        metavar="N",
        min=1,
        show_default=False,
        help="Only the first N rows.",
    ),
]


class RowRecord(TypedDict):
    """Parameters and results of an experiment."""

    id: str
    state: StateName
    parameters: dict[str, str]
    result: dict[str, object]
    """Reported and measured values by name."""
    best: bool
    """Whether it is the best experiment."""
    measured: NotRequired[dict[str, MeasuredRecord]]
    """Only if riseml.yml names metrics."""


class ResultsRecord(TypedDict):
    """The results of a run."""

    id: str
    metric: str | None
    """The result that decides which experiment is the best."""
    best: str | None
    """The id of the best experiment."""
    parameters: list[str]
    """Names of parameters that occur."""
    metrics: list[str]
    """Names of results that occur."""
    experiments: list[RowRecord]


DOCUMENTS = {"results": Document(ResultsRecord)}
_MAX_NOTES = 5
# The least width of columns of values, and the width of the columns before them.
_SHORTEST, _FIXED_WIDTH = 6, 20


def command(
    id: options.OneId = None,
    sort: Sort = None,
    largest: Largest = None,
    top: Top = None,
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """Compare the parameters and results of a set's experiments.

    The best experiment is marked: by --sort, else by the first metric under `results` in
    riseml.yml that has a mode. With --sort, small values of a result such as loss or
    error are best, and large values of all others, unless riseml.yml, --min or --max
    says otherwise. Experiments without a number come last.

    Examples:
      riseml results 14 --sort accuracy --top 5
      riseml results -o csv > results.csv
    """
    results = Client().results(id, sort=sort, largest=largest, top=top)
    if not report.is_for_people(output_format):
        report.write_data(_data(results), output_format)
        return
    screen = terminal.stdout()
    metrics = _fitting(results, screen)
    output.lines(_lines(results, metrics, screen, headers=not no_headers))
    explanation = _explanation(results, screen)
    if explanation:
        output.note(explanation)
    if results.missing:
        names = ", ".join(results.missing)
        ending = "" if results.has_ended else " so far"
        output.note(f"No values of {names} in logs and files{ending}.")
    if len(metrics) < len(results.metrics):
        hidden = len(results.metrics) - len(metrics)
        output.note(
            f"{hidden} of {len(results.metrics)} results do not fit; "
            f"`riseml results {results.id} -o csv` has all of them."
        )
    advice = f"`riseml status {results.id}` shows them"
    for note in statuses.limited(statuses.notes(results.rows), _MAX_NOTES, advice):
        output.note(note)


def _data(results: Results) -> report.Data:
    rows = []
    for row in results.rows:
        # Programs need all digits, and an empty cell for a missing value.
        parameters = [row.parameters.get(name, "") for name in results.parameters]
        values = _values(row, results.metrics, text.exact, missing="")
        rows.append([row.id, str(row.state), *parameters, *values])
    return report.Data(
        records=_record(results),
        names=[row.id for row in results.rows],
        titles=["id", "state", *_titles(results)],
        rows=rows,
    )


def _explanation(results: Results, screen: Terminal) -> str:
    """Return what the mark means, or why no experiment is marked."""
    if results.best is not None:
        direction = "larger" if results.largest else "smaller"
        sentence = f"best by {results.metric}: {direction} is better."
        return f"{symbols.best(screen)} {sentence}".removeprefix("best ")
    if results.suggested:
        first = results.suggested[0]
        example = f"{{{first}: {'max' if is_larger_better(first) else 'min'}}}"
        names = ", ".join(results.suggested)
        return (
            f"Seen in the logs: {names}; write `results: {example}` below `train` to compare"
            " them from the next run on."
        )
    if not results.metrics:
        return (
            f"No results{'' if results.has_ended else ' yet'}. Name metrics under `results` in"
            " riseml.yml, or report them with `riseml.report_result(accuracy=0.9)`."
        )
    if results.metric is None:
        return (
            f"`riseml results {results.id} --sort {results.metrics[0]}` marks the best."
        )
    return ""


def _lines(
    results: Results, metrics: Sequence[str], screen: Terminal, *, headers: bool
) -> list[str]:
    """Return the lines of the table, with these of the metrics."""
    mark = symbols.best(screen)
    columns = [
        Column("", 1, styles={mark: "yellow"}),
        Column("EXP ID", 6),
        Column("STATE", 10, styles=symbols.styles(screen), drop=1),
    ]
    parameter_count = len(results.parameters)
    titles = _titles(results)
    for title in titles[:parameter_count]:
        columns.append(Column(title, shortest=_SHORTEST))
    metric_titles = dict(zip(results.metrics, titles[parameter_count:], strict=True))
    for name in metrics:
        # Digits of the same weight stand below each other.
        columns.append(Column(metric_titles[name], shortest=_SHORTEST, right=True))
    rows = []
    for row in results.rows:
        state = symbols.experiment(row, screen)
        row_mark = mark if row.id == results.best else ""
        parameters = [row.parameters.get(name, "") for name in results.parameters]
        values = _values(row, metrics, text.value, missing="-")
        rows.append([row_mark, row.id, state, *parameters, *values])
    return render(columns, rows, screen, headers=headers)


def _titles(results: Results) -> list[str]:
    """Return the titles of parameters and metrics: their names, unless two would be equal."""
    clashes = {"id", "state", ""}
    clashes |= set(results.parameters) & set(results.metrics)
    names = {*results.parameters, *results.metrics}
    if any(name.startswith(("param.", "result.")) for name in names):
        # Such a name could be that of a column already.
        clashes |= names
    parameters = [_title("param", name, clashes) for name in results.parameters]
    metrics = [_title("result", name, clashes) for name in results.metrics]
    return [*parameters, *metrics]


def _title(kind: str, name: str, clashes: set[str]) -> str:
    return f"{kind}.{name}" if name in clashes else name


def _fitting(results: Results, screen: Terminal) -> Sequence[str]:
    """Return the metrics that have room: all, if their columns can be cut to fit.

    Otherwise the columns are not cut, and the one that decides is among them.
    """
    metrics = results.metrics
    if screen.width is None:
        return metrics
    widths = _widths(results)
    room = screen.width - _FIXED_WIDTH - (_SHORTEST + 1) * len(results.parameters)
    least = 0
    for width in widths:
        least += min(width, _SHORTEST) + 1
    if least <= room:
        return metrics
    # The sort is stable, and only the metric that decides comes before its neighbors.
    order = sorted(
        range(len(metrics)), key=lambda index: metrics[index] != results.metric
    )
    ends = itertools.accumulate(widths[index] + 1 for index in order)
    count = max(1, bisect.bisect_right(list(ends), room))
    return [metrics[index] for index in sorted(order[:count])]


def _widths(results: Results) -> list[int]:
    """Return the widths of the columns of all metrics."""
    parameter_count = len(results.parameters)
    titles = _titles(results)[parameter_count:]
    cells = [tuple(titles)]
    for row in results.rows:
        values = _values(row, results.metrics, text.value, missing="-")
        cells.append(tuple(values))
    widths = []
    for column in zip(*cells, strict=True):
        width = max(map(cells_wide, column))
        widths.append(width)
    return widths


def _values(
    row: ExperimentStatus,
    metrics: Sequence[str],
    format_value: Callable[[Any], str],
    *,
    missing: str,
) -> list[str]:
    """Return the results of an experiment, for the columns of metrics."""
    result = row.result or {}
    return [
        format_value(result[name]) if name in result else missing for name in metrics
    ]


def _record(results: Results) -> ResultsRecord:
    return {
        "id": results.id,
        "metric": results.metric,
        "best": results.best,
        "parameters": list(results.parameters),
        "metrics": list(results.metrics),
        "experiments": [_experiment_record(row, results) for row in results.rows],
    }


def _experiment_record(row: ExperimentStatus, results: Results) -> RowRecord:
    fields: RowRecord = {
        "id": row.id,
        "state": str(row.state),
        "parameters": dict(row.parameters),
        "result": dict(row.result or {}),
        "best": row.id == results.best,
    }
    # Only runs whose riseml.yml names metrics have these.
    if row.measured:
        fields["measured"] = records.measured(row.measured)
    return fields
