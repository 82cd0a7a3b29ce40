"""Command `riseml results`."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, NotRequired, TypedDict

from riseml import phrases
from riseml.cli import (
    formats,
    options,
    output,
    records,
    result_table,
    statuses,
    symbols,
    terminal,
)
from riseml.cli.documents import Document, StateName
from riseml.cli.parameters import Argument, Option
from riseml.cli.records import MeasuredRecord
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.client.results import Results, is_larger_better
from riseml.status import ExperimentStatus, SetStatus

Sort = Annotated[
    str | None,
    Option(
        "--sort",
        metavar="NAME",
        show_default=False,
        help="Sort by this result or parameter, best first.",
    ),
]
Largest = Annotated[
    bool | None,
    Option(
        "--max/--min",
        show_default=False,
        help="Whether a large or a small value is best.",
    ),
]
Top = Annotated[
    int | None,
    Option(
        "--top",
        metavar="N",
        min=1,
        show_default=False,
        help="Only the best N rows. Default: all, in their order.",
    ),
]


Ids = Annotated[
    list[str] | None,
    Argument(metavar="ID", show_default=False, help="Runs. Default: the newest run."),
]
Project = Annotated[
    str | None,
    Option(
        "--project",
        metavar="NAME",
        show_default=False,
        help="All runs of this project; with ids, only these.",
    ),
]
Where = Annotated[
    str | None,
    Option(
        "--where",
        metavar="FILTER",
        show_default=False,
        help="Only experiments that fulfil it, such as 'accuracy > 0.9'.",
    ),
]
Columns = Annotated[
    list[str] | None,
    Option(
        "--columns",
        metavar="NAMES",
        show_default=False,
        help="The columns of table and csv: id,lr,accuracy.",
    ),
]


class RowRecord(TypedDict):
    """Parameters and results of an experiment."""

    id: str
    run: str
    """The id of its run."""
    project: str
    state: StateName
    parameters: dict[str, str]
    result: dict[str, object]
    """Reported and measured values by name."""
    best: bool
    """Whether it is the best experiment."""
    measured: NotRequired[dict[str, MeasuredRecord]]
    """Only if riseml.yml names metrics."""


class ResultsRecord(TypedDict):
    """The results of runs."""

    id: str
    """The ids of all runs, separated by spaces."""
    ids: list[str]
    metric: str | None
    """The result that decides which experiment is the best."""
    best: str | None
    """The id of the best experiment."""
    parameters: list[str]
    """Names of parameters that occur."""
    metrics: list[str]
    """Names of results that occur."""
    experiments: list[RowRecord]


DOCUMENTS = {"results": Document(ResultsRecord, "1.1")}
_MAX_NOTES = 5


def command(
    ids: Ids = None,
    project: Project = None,
    tags: options.Tags = None,
    where: Where = None,
    columns: Columns = None,
    sort: Sort = None,
    largest: Largest = None,
    top: Top = None,
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """Compare parameters and results of experiments.

    The best experiment is marked: by --sort, else by the first metric under `results` in
    riseml.yml that has a mode. With --sort, small values of a result such as loss or
    error are best, and large values of all others, unless riseml.yml, --min or --max
    says otherwise. Experiments without a number come last.

    A filter compares parameters, results and id, state, run, project, user, name, tags,
    note, reason, created, started, finished or duration (seconds) by < <= > >= = != or ~
    (contains), with and, or, not and parentheses. A name alone asks for any value. If a
    result and another column have the same name, it is result.NAME, and a parameter
    param.NAME.

    Examples:
      riseml results 14 --sort accuracy --top 5
      riseml results 14 15 --where 'accuracy > 0.9 and lr < 0.1'
      riseml results --project digits --columns id,lr,accuracy,duration
      riseml results -o csv > results.csv
    """
    ids = ids or []
    tags = tags or []
    results = Client().results(
        *ids,
        project=project,
        tags=tags,
        where=where,
        columns=_names(columns or ()),
        sort=sort,
        largest=largest,
        top=top,
    )
    if not formats.is_for_people(output_format):
        formats.write_data(_data(results), output_format, headers=not no_headers)
        return
    screen = terminal.stdout()
    # Columns that the user chose are all shown.
    fitting = results.columns if columns else result_table.fitting(results, screen)
    output.lines(result_table.lines(results, fitting, screen, headers=not no_headers))
    words = ["riseml results", *ids]
    if project:
        words.append(f"--project {project}")
    words += map("--tag {}".format, tags)
    selection = " ".join(words)
    output.notes(_notes(results, selection, screen))
    hidden = len(results.columns) - len(fitting)
    if hidden:
        output.note(
            f"{hidden} of {len(results.metrics)} results do not fit; "
            f"`{selection} -o csv` has all of them."
        )
    advice = f"`riseml status {results.ids[0]}` shows them"
    notes_of_rows = statuses.notes(results.rows)
    output.notes(statuses.limited(notes_of_rows, _MAX_NOTES, advice))


def _names(lists: Iterable[str]) -> list[str]:
    """Return the names in lists that are separated by commas; a name with commas is quoted."""
    # A line break ends a name, too.
    lines = chain.from_iterable(map(str.splitlines, lists))
    rows = csv.reader(lines, skipinitialspace=True)
    return list(filter(None, chain.from_iterable(rows)))


def _notes(results: Results, selection: str, screen: Terminal) -> Iterator[str]:
    if not results.rows:
        yield "No experiment fulfils the filter."
        return
    explanation = _explanation(results, selection, screen)
    if explanation:
        yield explanation
    if results.missing:
        names = ", ".join(results.missing)
        ending = "" if results.has_ended else " so far"
        yield f"No values of {names} in logs and files{ending}."


def _data(results: Results) -> formats.Data:
    titles = []
    columns = []
    for column in results.columns:
        titles.append(column.title)
        # Programs need all digits, and an empty cell for a missing value.
        columns.append(list(map(_exact, results.values(column))))
    names = list(map(attrgetter("id"), results.rows))
    rows = list(zip(*columns, strict=True))
    return formats.Data(_record(results), names, titles, rows)


def _exact(value: Any) -> str:
    if isinstance(value, datetime):
        return phrases.moment(value) or ""
    return phrases.exact(value)


def _explanation(results: Results, selection: str, screen: Terminal) -> str:
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
        return f"`{selection} --sort {results.metrics[0]}` marks the best."
    return ""


def _record(results: Results) -> ResultsRecord:
    return {
        "id": results.id,
        "ids": list(results.ids),
        "metric": results.metric,
        "best": results.best,
        "parameters": list(results.parameters),
        "metrics": list(results.metrics),
        "experiments": [
            _experiment_record(row, run, results)
            for row, run in zip(results.rows, results.runs, strict=True)
        ],
    }


def _experiment_record(
    row: ExperimentStatus, run: SetStatus, results: Results
) -> RowRecord:
    fields: RowRecord = {
        "id": row.id,
        "run": run.id,
        "project": run.project,
        "state": str(row.state),
        "parameters": dict(row.parameters),
        "result": dict(row.results),
        "best": row.id == results.best,
    }
    # Only runs whose riseml.yml names metrics have these.
    if row.measured:
        fields["measured"] = records.measured(row.measured)
    return fields
