"""Screen of a set for `riseml status ID -w`: what matters most of any number of experiments.

    head        state, experiments that have ended, time left, counts
    rows        running ones, then failed ones, then the best by the metric of riseml.yml
    last line   counts of all others

The screen never has more lines than it is given room for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter

from riseml import phrases
from riseml.cli import detail, run_progress, symbols
from riseml.cli.statuses import limited, message, notes
from riseml.cli.table import Column, clean, render, shorten
from riseml.cli.terminal import Terminal
from riseml.client.results import Results, number, tabulate
from riseml.dataclass import dataclass
from riseml.status import ExperimentStatus, SetStatus, State, reason_words
from riseml.status.values import count

_ACTIVE = frozenset({State.RUNNING, State.STARTING})
# The best experiments keep some rows, however many are running or have failed.
_LEAST_BEST_ROWS = 3
# Running and failed experiments share the other rows. The smaller group gets what it needs.
_GROUPS = 2
_LEAST_ROWS = 1
_ORDER = (
    State.RUNNING,
    State.STARTING,
    State.FAILED,
    State.FINISHED,
    State.KILLED,
    State.PENDING,
    State.BUILDING,
    State.CREATED,
)
_MAX_MESSAGES = 2
# Columns of parameters, and of results
_MAX_NAMES = 8
_SHORTEST_CELL, _SHORTEST_MESSAGE = 8, 12
# Columns without room are left out in this order, from the highest number.
_DROP_METRICS, _DROP_DURATION, _DROP_NAMED_METRICS = 80, 70, 50
_DROP_ATTEMPT, _DROP_PARAMETERS = 49, 20


@dataclass(frozen=True)
class _Rows:
    """The experiments that are listed, in order, and the others."""

    listed: Sequence[ExperimentStatus]
    others: Sequence[ExperimentStatus]


_Content = tuple[Column, Callable[[ExperimentStatus], str]]
"""A column, and the text that it has in the row of an experiment."""


def lines(
    run: SetStatus,
    screen: Terminal,
    now: datetime,
    *,
    room: int,
    extra: Sequence[str] = (),
    headers: bool = True,
) -> list[str]:
    """Return at most `room` lines about a set; `extra` lines stand below the head."""
    results = tabulate(run)
    head = [*_head(run, screen, now), *extra]
    legend = _legend(run, results, screen)
    # An empty line, the titles, and the counts of the others.
    rows_room = room - len(head) - len(legend) - 2 - int(headers)
    rows = _choose(run, results, max(rows_room, _LEAST_ROWS))
    table = _table(run, rows.listed, results, screen, now, headers=headers)
    block = [*head, "", *table, *legend, *_rest(run, rows.others, screen)]
    return [_cut(line, screen) for line in block[:room]]


def _head(run: SetStatus, screen: Terminal, now: datetime) -> list[str]:
    state = symbols.coloured(run.state, screen)
    title = f"Set {run.id} of {clean(run.project)}: {state}"
    if run.started is not None:
        duration = phrases.duration(run.started, run.finished, now)
        title += f"{' after' if run.finished else ' for'} {duration}"
    progress = run_progress.of_set(run, screen, now)
    if run.concurrency and not run.state.is_terminal:
        progress += f"; at most {run.concurrency} at once"
    head = [title, progress, phrases.counts(_in_order(run.counts))]
    fields = {
        "Name": run.marks.name,
        "Reason": run.reason,
        "Message": message(run),
        "Tensorboard": detail.tensorboard(run),
        "Argo": run.page,
    }
    return [*head, *detail.fields(fields.items()), *_messages(run)]


def _messages(run: SetStatus) -> list[str]:
    """Return what experiments wait for, and notes."""
    waiting: dict[str, int] = {}
    for experiment in run.experiments:
        if experiment.state is State.PENDING and experiment.message:
            cause = clean(message(experiment))
            waiting[cause] = waiting.get(cause, 0) + 1
    messages = [f"{amount} pending: {cause}" for cause, amount in waiting.items()]
    messages += notes(run.experiments)
    return limited(messages, _MAX_MESSAGES, f"`riseml status {run.id}` shows them")


def _choose(run: SetStatus, results: Results, room: int) -> _Rows:
    """Choose experiments for `room` rows: running, failed, the best, then all others."""
    active = list(filter(_is_active, run.experiments))
    failed = list(filter(_has_failed, run.experiments))
    # A new failure is news.
    failed.sort(key=_end, reverse=True)
    best = _best_first(run, results)
    shared = room
    if len(run.experiments) > room:
        shared -= min(_LEAST_BEST_ROWS, len(best), room // _GROUPS)
    active_rows = min(len(active), max(shared // _GROUPS, shared - len(failed)))
    first = [*active[:active_rows], *failed[: shared - active_rows]]
    listed = {experiment.id: experiment for experiment in first}
    # Running experiments that have no row may be among the best.
    for experiment in [*best, *sorted(run.experiments, key=_news)]:
        if len(listed) >= room:
            break
        listed.setdefault(experiment.id, experiment)
    others = [item for item in run.experiments if item.id not in listed]
    return _Rows(list(listed.values()), others)


def _best_first(run: SetStatus, results: Results) -> list[ExperimentStatus]:
    """Return the experiments with a value of the metric that riseml.yml chose, the best first."""
    metric = results.metric
    if results.best is None or metric is None:
        return []
    ranked = tabulate(run, sort=metric).rows
    return list(filter(partial(_has_number, metric), ranked))


def _has_number(metric: str, experiment: ExperimentStatus) -> bool:
    return number(experiment.results.get(metric)) is not None


def _is_active(experiment: ExperimentStatus) -> bool:
    return experiment.state in _ACTIVE


def _has_failed(experiment: ExperimentStatus) -> bool:
    return experiment.state is State.FAILED


def _end(experiment: ExperimentStatus) -> float:
    return experiment.finished.timestamp() if experiment.finished else 0.0


def _news(experiment: ExperimentStatus) -> tuple[int, float, int]:
    """Return a sort key: the last that ended first, and the next that will start."""
    return (_ORDER.index(experiment.state), -_end(experiment), experiment.number)


def _table(
    run: SetStatus,
    rows: Sequence[ExperimentStatus],
    results: Results,
    screen: Terminal,
    now: datetime,
    *,
    headers: bool,
) -> list[str]:
    mark = symbols.best(screen)
    progress = partial(_progress, screen=screen, now=now)
    contents: list[_Content] = [
        (Column("", styles={mark: "yellow"}), partial(_mark, mark, results.best)),
        (Column("EXP ID", 6), attrgetter("id")),
        (
            Column("STATE", 10, styles=symbols.styles(screen)),
            lambda row: symbols.experiment(row, screen),
        ),
        (
            Column("DURATION", 8, drop=_DROP_DURATION),
            lambda row: phrases.duration(row.started, row.finished, now),
        ),
        (Column("ATTEMPT", drop=_DROP_ATTEMPT), _attempt),
        *_parameter_columns(run),
        (_progress_column(rows, progress), progress),
        *_metric_columns(run, results),
    ]
    columns, cells = [], []
    for column, content in contents:
        texts = list(map(content, rows))
        # A column without any text tells nothing.
        if any(texts):
            columns.append(column)
            cells.append(texts)
    return render(columns, list(zip(*cells, strict=True)), screen, headers=headers)


def _mark(mark: str, best: str | None, row: ExperimentStatus) -> str:
    return mark if row.id == best else ""


def _parameter_columns(run: SetStatus) -> Iterator[_Content]:
    names = _varying(run.experiments)[:_MAX_NAMES]
    for drop, name in enumerate(names, _DROP_PARAMETERS):
        column = Column(name, shortest=_SHORTEST_CELL, drop=drop)
        yield column, partial(_parameter, name)


def _parameter(name: str, row: ExperimentStatus) -> str:
    return row.parameters.get(name, "")


def _metric_columns(run: SetStatus, results: Results) -> Iterator[_Content]:
    """Yield columns of results. Those that riseml.yml names come first, and are dropped last."""
    drops = [
        0,
        *range(_DROP_NAMED_METRICS, _DROP_NAMED_METRICS + len(run.metrics) - 1),
        *range(_DROP_METRICS, _DROP_METRICS + _MAX_NAMES),
    ]
    for name, drop in zip(results.metrics[:_MAX_NAMES], drops, strict=False):
        column = Column(name, shortest=_SHORTEST_CELL, drop=drop, right=True)
        yield column, partial(_metric, name)


def _metric(name: str, row: ExperimentStatus) -> str:
    return phrases.value(row.results[name]) if name in row.results else ""


def _progress_column(
    rows: Sequence[ExperimentStatus], progress: Callable[[ExperimentStatus], str]
) -> Column:
    """Return the column PROGRESS; messages may be cut, but not how far an experiment is."""
    active = filter(_is_active, rows)
    longest = max(map(len, map(progress, active)), default=0)
    return Column("PROGRESS", shortest=max(longest, _SHORTEST_MESSAGE))


def _varying(experiments: Sequence[ExperimentStatus]) -> list[str]:
    """Return the parameters that not all experiments have with the same value."""
    values: dict[str, set[str]] = {}
    for experiment in experiments:
        for name, value in experiment.parameters.items():
            values.setdefault(name, set()).add(value)
    return sorted(name for name, different in values.items() if len(different) > 1)


def _progress(experiment: ExperimentStatus, screen: Terminal, now: datetime) -> str:
    """Return how far an experiment is, or why it is no further."""
    if experiment.held_until is not None or experiment.reason == reason_words.IDLE:
        return message(experiment)
    if experiment.state in {State.FAILED, State.PENDING}:
        return experiment.message or experiment.reason
    if experiment.state in _ACTIVE:
        return run_progress.of_experiment(experiment, screen, now, exact=False)
    return ""


def _attempt(experiment: ExperimentStatus) -> str:
    # A first attempt is not worth a column.
    if not experiment.attempt:
        return ""
    most = max(job.max_attempts for job in experiment.jobs)
    return f"{experiment.attempt + 1} of {most}"


def _legend(run: SetStatus, results: Results, screen: Terminal) -> list[str]:
    if results.best is None:
        return []
    direction = "larger" if results.largest else "smaller"
    so_far = "" if run.state.is_terminal else " so far"
    mark = symbols.best(screen)
    return [f"{mark} best by {results.metric}{so_far}: {direction} is better."]


def _rest(
    run: SetStatus, others: Sequence[ExperimentStatus], screen: Terminal
) -> list[str]:
    if not others:
        return []
    line = f"and {len(others)} more: {phrases.counts(_in_order(count(others)))}"
    advice = f"; `riseml status {run.id}` lists all"
    has_room = screen.width is None or len(line + advice) <= screen.width
    return [line + advice if has_room else line]


def _in_order(counts: Mapping[State, int]) -> dict[State, int]:
    return {**dict.fromkeys(_ORDER, 0), **counts}


def _cut(line: str, screen: Terminal) -> str:
    """Return a line that does not wrap; lines of the table are narrow enough."""
    if screen.width is None or "\x1b" in line:
        return line
    return shorten(line, screen.width, unicode=screen.unicode)
