"""One experiment, set or job in full, as `riseml status ID` shows it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from riseml.cli import symbols, text
from riseml.cli.table import Column, clean, render
from riseml.cli.terminal import Terminal
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

# Experiments whose message is told below a set
_MOST = 10
# A longer one is cut, as in the original
_MESSAGE = 20


def lines(
    run: SetStatus,
    part: SetStatus | ExperimentStatus | JobStatus,
    terminal: Terminal,
    now: datetime,
    *,
    wide: bool = False,
    headers: bool = True,
) -> list[str]:
    """Return the lines about `part` of `run`; `wide` shows messages in full."""
    if isinstance(part, JobStatus):
        return _job(run, part, terminal, now)
    if isinstance(part, SetStatus) and part.is_set:
        return _set(run, terminal, now, wide=wide, headers=headers)
    return _experiment(run, part, terminal, now, wide=wide, headers=headers)


def _experiment(
    run: SetStatus,
    part: SetStatus | ExperimentStatus,
    terminal: Terminal,
    now: datetime,
    *,
    wide: bool,
    headers: bool,
) -> list[str]:
    one = (
        part
        if isinstance(part, ExperimentStatus)
        else next(iter(run.experiments), ExperimentStatus(run.id))
    )
    concurrency = (
        str(run.concurrency) if run.concurrency is not None and not run.is_set else None
    )
    entries = [
        ("ID", part.id),
        ("Type", "Experiment"),
        ("Project", run.project),
        ("State", _state(part.state, terminal)),
        *_timing(part, now),
        ("Progress", f"{one.progress[0]}/{one.progress[1]}" if one.progress else None),
        ("Reason", part.reason or one.reason or None),
        ("Message", part.message or one.message or None),
        ("Image", run.image or None),
        ("Framework", run.framework or None),
        ("Tensorboard", _board(run)),
        ("Argo", run.page),
        ("Run Commands", _commands(run)),
        ("Concurrency", concurrency),
        ("Parameters", text.pairs(one.parameters) or None),
        ("Result", text.pairs(one.result) or None),
    ]
    own = () if isinstance(part, ExperimentStatus) else run.jobs
    return [
        *_fields(entries),
        *_jobs((*own, *one.jobs), terminal, now, wide=wide, headers=headers),
    ]


def _set(
    run: SetStatus, terminal: Terminal, now: datetime, *, wide: bool, headers: bool
) -> list[str]:
    counted = ", ".join(
        f"{count} {state.lower()}" for state, count in run.counts.items() if count
    )
    entries = [
        ("ID", run.id),
        ("Type", "Set"),
        ("Project", run.project),
        ("State", _state(run.state, terminal)),
        *_timing(run, now),
        ("Reason", run.reason or None),
        ("Message", run.message or None),
        (
            "Experiments",
            f"{len(run.experiments)}" + (f" ({counted})" if counted else ""),
        ),
        ("Concurrency", str(run.concurrency) if run.concurrency is not None else None),
        ("Tensorboard", _board(run)),
        ("Argo", run.page),
    ]
    columns = [
        Column("EXP ID", 6),
        Column("STATE", 9, styles=symbols.styles(terminal)),
        Column("STARTED", 11, drop=3),
        Column("DURATION", 9, drop=2),
        Column("PARAMS", 14, shortest=8, drop=1),
        Column("RESULT", 14, shortest=8),
    ]
    rows = [
        [
            each.id,
            symbols.state(each.state, terminal),
            text.age(each.started, now),
            text.duration(each.started, each.finished, now),
            text.pairs(each.parameters),
            text.pairs(each.result),
        ]
        for each in run.experiments
    ]
    table = render(columns, rows, terminal, headers=headers)
    jobs = _jobs(run.jobs, terminal, now, wide=wide, headers=headers)
    return [*_fields(entries), "", *table, *_told(run.experiments), *jobs]


def _told(experiments: Sequence[ExperimentStatus]) -> list[str]:
    """Say in full what experiments wait for, or failed of; no column has room for it."""
    said = [
        each
        for each in experiments
        if each.message and each.state is not State.FINISHED
    ]
    lines = [f"{each.id}: {clean(each.message)}" for each in said[:_MOST]]
    more = (
        [f"and {len(said) - _MOST} more, each in `riseml status ID`"]
        if len(said) > _MOST
        else []
    )
    return ["", *lines, *more] if lines else []


def _job(
    run: SetStatus, job: JobStatus, terminal: Terminal, now: datetime
) -> list[str]:
    resources = job.resources
    entries = [
        ("ID", job.id),
        ("Type", "Job"),
        ("State", _state(job.state, terminal)),
        *_timing(job, now),
        ("Attempt", str(job.attempt + 1) if job.attempt else None),
        ("Reason", job.reason or None),
        ("Message", job.message or None),
        ("Exit Code", None if job.exit_code is None else str(job.exit_code)),
        ("Requested cpus", f"{resources.cpus:.1f}" if resources else None),
        ("Requested mem", f"{resources.mem // 1_000_000}" if resources else None),
        ("Requested gpus", str(resources.gpus) if resources else None),
        (
            "Run Commands",
            _commands(run) if job.type not in {"build", "tensorboard"} else None,
        ),
    ]
    ending = (
        [f"FAILED: {clean(job.reason or job.message)}"]
        if job.state is State.FAILED and job.reason
        else []
    )
    return [*_fields(entries), *ending]


def _jobs(
    jobs: Sequence[JobStatus],
    terminal: Terminal,
    now: datetime,
    *,
    wide: bool,
    headers: bool,
) -> list[str]:
    if not jobs:
        return []
    columns = [
        Column("JOB ID", 13),
        Column("STATE", 11, styles=symbols.styles(terminal)),
        Column("STARTED", 8, drop=5),
        Column("DURATION", 9, drop=4),
        Column("REASON", 13, shortest=8, drop=2),
        Column("MESSAGE", 20, shortest=8, drop=1),
        Column("EXIT CODE", 10, drop=3),
        Column("GPU", 6, drop=8),
        Column("CPU", 6, drop=7),
        Column("MEM", 6, drop=6),
    ]
    return [
        "",
        *render(
            columns,
            [_row(job, terminal, now, wide=wide) for job in jobs],
            terminal,
            headers=headers,
        ),
    ]


def _row(job: JobStatus, terminal: Terminal, now: datetime, *, wide: bool) -> list[str]:
    message = (
        job.message
        if wide or len(job.message) <= _MESSAGE
        else job.message[: _MESSAGE - 3] + "..."
    )
    asked = job.resources
    return [
        job.id,
        symbols.state(job.state, terminal),
        text.age(job.started, now),
        text.duration(job.started, job.finished, now),
        job.reason,
        message,
        "" if job.exit_code is None else str(job.exit_code),
        *(
            (str(asked.gpus), f"{asked.cpus:.1f}", str(asked.mem // 1_000_000))
            if asked
            else ("", "", "")
        ),
    ]


def _board(run: SetStatus) -> str | None:
    job = next((job for job in run.jobs if job.type == "tensorboard"), None)
    if run.tensorboard_url or job is None:
        return run.tensorboard_url
    return (
        f"`riseml tensorboard {run.id}` opens it"
        if job.state is State.RUNNING
        else "OFFLINE"
    )


def _state(state: State, terminal: Terminal) -> str:
    return terminal.paint(
        symbols.state(state, terminal).strip(), symbols.COLOURS[state]
    )


def _timing(
    part: SetStatus | ExperimentStatus | JobStatus, now: datetime
) -> Iterable[tuple[str, str | None]]:
    if part.started is None:
        return ()
    lasted = text.duration(part.started, part.finished, now)
    return (
        ("Started", text.moment(part.started)),
        ("Finished", text.moment(part.finished)),
        ("Duration", lasted),
    )


def _commands(run: SetStatus) -> str | None:
    return "".join(f"  {command}" for command in run.run).removeprefix(" ") or None


def _fields(entries: Iterable[tuple[str, str | None]]) -> list[str]:
    return [
        f"{name}: {value if name == 'State' else clean(value)}"
        for name, value in entries
        if value is not None
    ]
