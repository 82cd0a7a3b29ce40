"""One run, experiment or job in detail, for `riseml status ID`."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from riseml import labels, phrases
from riseml.cli import commands, job_usage, run_progress, symbols
from riseml.cli.statuses import (
    AnyStatus,
    is_set,
    limited,
    message,
    notes,
    single_experiment,
)
from riseml.cli.table import Column, clean, render
from riseml.cli.terminal import Terminal
from riseml.settings import PROCESS
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, key_holder
from riseml.status.shards import seen_from

Field = tuple[str, str | None]
"""A name and its text; a field without text is not shown."""

_MAX_MESSAGES = 10
_ID_LENGTH = 12
# RiseML 1 cut longer messages, too.
_MESSAGE_WIDTH = 20
# Position of the column ATTEMPT
_ATTEMPT = 1
_CONNECT_SECONDS = 0.2
_BYTES_PER_MEGABYTE = 1_000_000


def lines(
    run: SetStatus,
    status: AnyStatus,
    terminal: Terminal,
    now: datetime,
    *,
    wide: bool = False,
    headers: bool = True,
) -> list[str]:
    """Return the lines about a part of `run`; `wide` shows messages in full."""
    if isinstance(status, JobStatus):
        return _job(run, status, terminal, now, wide=wide, headers=headers)
    if is_set(status):
        described = fields(_set_fields(run, terminal, now))
        experiments = _experiment_table(run, terminal, now, wide=wide, headers=headers)
        messages = _messages(run.experiments)
        jobs = _job_table(run.jobs, terminal, now, wide=wide, headers=headers)
        return [*described, "", *experiments, *messages, *jobs]
    # A run may have been submitted a moment ago, without any experiment in its status.
    experiment = single_experiment(status) or ExperimentStatus(run.id)
    ran = seen_from(run, experiment)
    described = fields(_experiment_fields(ran, status, experiment, terminal, now))
    listed = list(experiment.jobs)
    if isinstance(status, SetStatus):
        listed = [*run.jobs, *listed]
    return [
        *described,
        *_job_table(listed, terminal, now, wide=wide, headers=headers),
    ]


def _experiment_fields(
    run: SetStatus,
    status: SetStatus | ExperimentStatus,
    experiment: ExperimentStatus,
    terminal: Terminal,
    now: datetime,
) -> list[Field]:
    progress = run_progress.of_experiment(experiment, terminal, now, exact=True)
    return [
        ("ID", status.id),
        ("Type", "Experiment"),
        *_marks(run),
        ("Project", run.project),
        ("Started by", key_holder.person(run.submitter, run.user)),
        ("State", _state(status.state, experiment, terminal)),
        *_times(status, now),
        ("Progress", progress),
        # A run without a reason of its own has that of its experiment.
        ("Reason", status.reason or experiment.reason),
        ("Message", message(status) or message(experiment)),
        ("Revision", run.revision[:_ID_LENGTH]),
        ("Git", _git(run)),
        ("Image", _image(run)),
        ("Runner", _container_runner(run)),
        ("Framework", run.framework),
        ("Tensorboard", tensorboard(run)),
        ("Argo", run.page),
        ("Run Commands", commands.of_experiment(run, experiment)),
        ("Concurrency", None if run.is_set else _number(run.concurrency)),
        ("Parameters", phrases.pairs(experiment.parameters)),
        ("Result", phrases.pairs(experiment.result)),
        ("Workdir", experiment.workdir),
        *[("Note", note) for note in experiment.notes],
    ]


def _set_fields(run: SetStatus, terminal: Terminal, now: datetime) -> list[Field]:
    counts = phrases.counts(run.counts)
    experiments = str(len(run.experiments))
    if counts:
        early = sum(experiment.is_early for experiment in run.experiments)
        stopped = f", {early} of them EARLY" if early else ""
        experiments += f" ({counts}{stopped})"
    return [
        ("ID", run.id),
        ("Type", "Set"),
        *_marks(run),
        ("Project", run.project),
        ("Started by", key_holder.person(run.submitter, run.user)),
        ("State", symbols.coloured(run.state, terminal)),
        *_times(run, now),
        ("Reason", run.reason),
        ("Message", message(run)),
        ("Experiments", experiments),
        ("Concurrency", _number(run.concurrency)),
        ("Revision", run.revision[:_ID_LENGTH]),
        ("Git", _git(run)),
        ("Runner", _container_runner(run)),
        ("Tensorboard", tensorboard(run)),
        ("Argo", run.page),
        ("Run Commands", commands.of_set(run)),
        ("Values", commands.values(run)),
    ]


def _image(run: SetStatus) -> str:
    """Return the image of a run; containers run by an id, which its name explains."""
    if not run.image.startswith(labels.IMAGE_ID) or not run.base_image:
        return run.image
    name = run.base_image.partition("@")[0]
    return f"{name} ({run.image.removeprefix(labels.IMAGE_ID)[:_ID_LENGTH]})"


def _container_runner(run: SetStatus) -> str:
    """Return the runner of a run, empty for processes, which go without saying."""
    return "" if run.runner == PROCESS else run.runner


# On a narrow terminal, times go first: parameters and results identify experiments.
def _experiment_table(
    run: SetStatus, terminal: Terminal, now: datetime, *, wide: bool, headers: bool
) -> list[str]:
    columns = [
        Column("EXP ID", 6),
        Column("STATE", 9, styles=symbols.styles(terminal)),
        Column("AGE", 11, drop=3),
        Column("DURATION", 9, drop=2),
        Column("PARAMS", 14, shortest=8, drop=1),
        Column("RESULT", 14, shortest=8),
    ]
    rows = [
        [
            experiment.id,
            symbols.experiment(experiment, terminal),
            phrases.age(experiment.started, now),
            phrases.duration(experiment.started, experiment.finished, now),
            phrases.pairs(experiment.parameters),
            phrases.pairs(experiment.result),
        ]
        for experiment in run.experiments
    ]
    if wide:
        usages = [
            job_usage.of_experiment(experiment.jobs) for experiment in run.experiments
        ]
        job_usage.add_columns(columns, rows, usages)
    return render(columns, rows, terminal, headers=headers)


def _messages(experiments: Sequence[ExperimentStatus]) -> list[str]:
    """Return what experiments wait for or why they failed, and their notes; no column has room for it."""
    explained = []
    for experiment in experiments:
        if experiment.message and experiment.state is not State.FINISHED:
            explained.append(f"{experiment.id}: {clean(message(experiment))}")
    explained += notes(experiments)
    if not explained:
        return []
    return ["", *limited(explained, _MAX_MESSAGES, "`riseml status ID` shows each")]


def _job(
    run: SetStatus,
    job: JobStatus,
    terminal: Terminal,
    now: datetime,
    *,
    wide: bool,
    headers: bool,
) -> list[str]:
    # RiseML's own jobs do not run the commands of riseml.yml.
    runs_commands = job.type not in {"build", "tensorboard"}
    job_lines = fields(
        [
            ("ID", job.id),
            ("Type", "Job"),
            ("State", _state(job.state, job, terminal)),
            *_times(job, now),
            # The first attempt is not worth a line.
            ("Attempt", _attempt(job) if job.attempt else None),
            ("Reason", job.reason),
            ("Message", message(job)),
            ("Exit Code", _number(job.exit_code)),
            *_requested(job),
            *job_usage.fields(job.usage),
            ("Workdir", job.workdir),
            ("Run Commands", commands.of_job(run, job) if runs_commands else None),
        ]
    )
    if job.earlier:
        job_lines += _job_table([job], terminal, now, wide=wide, headers=headers)
    if job.state is State.FAILED and job.reason:
        job_lines.append(f"FAILED: {clean(job.reason)}")
    return job_lines


def _requested(job: JobStatus) -> list[Field]:
    if job.resources is None:
        return []
    return [
        ("Requested cpus", f"{job.resources.cpus:.1f}"),
        ("Requested mem", str(job.resources.mem // _BYTES_PER_MEGABYTE)),
        ("Requested gpus", str(job.resources.gpus)),
    ]


# On a narrow terminal, resources go first: they are the same for all jobs of a type.
def _job_table(
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
        Column("ATTEMPT", 8),
        Column("STATE", 11, styles=symbols.styles(terminal)),
        Column("AGE", 8, drop=5),
        Column("DURATION", 9, drop=4),
        Column("REASON", 13, shortest=8, drop=2),
        Column("MESSAGE", 20, shortest=8, drop=1),
        Column("EXIT CODE", 10, drop=3),
        Column("GPU", 6, drop=8),
        Column("CPU", 6, drop=7),
        Column("MEM", 6, drop=6),
    ]
    attempts: list[JobStatus] = []
    for job in jobs:
        attempts += job.attempts
    make_row = partial(_job_row, terminal=terminal, now=now, wide=wide)
    rows = list(map(make_row, attempts))
    if wide:
        job_usage.add_columns(columns, rows, [job.usage for job in attempts])
    if len(attempts) == len(jobs):
        # A first attempt is not worth a column.
        del columns[_ATTEMPT]
        for row in rows:
            del row[_ATTEMPT]
    return ["", *render(columns, rows, terminal, headers=headers)]


def _job_row(
    job: JobStatus, *, terminal: Terminal, now: datetime, wide: bool
) -> list[str]:
    sentence = message(job) if wide else job.message
    if len(sentence) > _MESSAGE_WIDTH and not wide:
        sentence = sentence[: _MESSAGE_WIDTH - 3] + "..."
    resources = ["", "", ""]
    if job.resources is not None:
        megabytes = job.resources.mem // _BYTES_PER_MEGABYTE
        resources = [
            str(job.resources.gpus),
            f"{job.resources.cpus:.1f}",
            str(megabytes),
        ]
    return [
        job.id,
        _attempt(job),
        symbols.job(job, terminal),
        phrases.age(job.started, now),
        phrases.duration(job.started, job.finished, now),
        job.reason,
        sentence,
        _number(job.exit_code) or "",
        *resources,
    ]


def _attempt(job: JobStatus) -> str:
    # Attempts count from 0.
    return f"{job.attempt + 1} of {job.max_attempts}"


def _marks(run: SetStatus) -> list[Field]:
    return [
        ("Name", run.marks.name),
        ("Tags", ", ".join(run.marks.tags)),
        ("Note", run.marks.note),
    ]


def tensorboard(run: SetStatus) -> str | None:
    """Return how the TensorBoard of a run can be opened, None if it has none."""
    if not run.has_tensorboard:
        return None
    if run.tensorboard_url:
        return run.tensorboard_url if listens(run.tensorboard_url) else "STARTING"
    # On a cluster it has no address before `riseml tensorboard` connects to it.
    states = {job.type: job.state for job in run.jobs}
    is_running = states["tensorboard"] is State.RUNNING
    return f"`riseml tensorboard {run.id}` opens it" if is_running else "OFFLINE"


def listens(url: str) -> bool:
    """Return whether something answers at an address of this machine."""
    # Few runs have a TensorBoard.
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    try:
        # TensorBoard listens when it is ready. The views that change ask once a second.
        socket.create_connection(address, _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _times(status: AnyStatus, now: datetime) -> list[Field]:
    if status.started is None:
        return []
    return [
        ("Started", phrases.local_time(status.started)),
        ("Finished", phrases.local_time(status.finished)),
        ("Duration", phrases.duration(status.started, status.finished, now)),
    ]


def _state(state: State, part: ExperimentStatus | JobStatus, terminal: Terminal) -> str:
    if part.held_until:
        return symbols.held(terminal)
    if symbols.is_idle(part):
        return symbols.idle(terminal)
    return symbols.coloured(state, terminal)


def _git(run: SetStatus) -> str | None:
    """Return branch and commit of the user's own repository."""
    if run.git is None:
        return None
    branch = run.git.branch or "(no branch)"
    return f"{branch} {run.git.commit[:_ID_LENGTH]}{phrases.changes(run.git)}"


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def fields(items: Iterable[Field]) -> list[str]:
    """Return a line for each field that has a text."""
    field_lines = []
    for name, value in items:
        if value:
            # Only the state may contain control characters: those of its colour.
            field_lines.append(f"{name}: {value if name == 'State' else clean(value)}")
    return field_lines
