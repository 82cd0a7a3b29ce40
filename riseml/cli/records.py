"""Status as plain data, for `-o json`, `-o yaml` and `-o csv`.

Names are stable, lists are always lists, and times are text in UTC.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast

from riseml.cli.documents import Document, StateName, Time
from riseml.cli.statuses import AnyStatus, experiment_of, is_set
from riseml.phrases import exact, moment, pairs
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus


class ResourcesRecord(TypedDict):
    """What a job requests."""

    cpus: float
    mem: int
    """In bytes."""
    gpus: float
    """0.25 for a quarter of one."""
    gpu_mem: NotRequired[int]
    """Least memory of each GPU, or of the part of one, in bytes."""
    gpu_type: NotRequired[str]


class TimesRecord(TypedDict):
    """When something was submitted, started and ended; null before that."""

    created: Time | None
    started: Time | None
    finished: Time | None


class UsageRecord(TypedDict):
    """What an attempt of a job used; null stands for what was not measured."""

    mem_peak: int | None
    """In bytes; memory that processes share counts once."""
    cpu_mean: float | None
    """In cores."""
    gpu_util_mean: float | None
    """How many GPUs its processes kept busy; null without GPUs."""
    gpu_util_peak: float | None
    gpu_mem_peak: int | None
    """In bytes."""


class AttemptRecord(TypedDict):
    """One attempt of a job."""

    attempt: int
    """Counts from 0."""
    state: StateName
    started: Time | None
    finished: Time | None
    reason: str
    message: str
    exit_code: int | None
    usage: UsageRecord | None
    """What it used; null before its end, and where it was not measured."""


class JobRecord(TimesRecord):
    """A job: its last attempt, or its plan before it starts."""

    id: str
    type: str
    """The role of the job, such as train, worker or build."""
    state: StateName
    attempt: int
    """Counts from 0."""
    earlier_attempts: list[AttemptRecord]
    reason: str
    message: str
    exit_code: int | None
    held_until: Time | None
    """Until when what has failed is kept; null if it is not held now."""
    workdir: str
    """Which files of its working directory were kept, in words."""
    usage: UsageRecord | None
    """What it used; null before its end, and where it was not measured."""
    resources: ResourcesRecord | None


class MeasuredRecord(TypedDict):
    """Values of a metric that riseml.yml names under `results`."""

    source: str
    """The file that has them."""
    best: NotRequired[float | str | None]
    """Only if the metric has a mode. NaN and infinities are text."""
    best_step: NotRequired[float | str]
    last: float | str | None
    last_step: NotRequired[float | str]


class ExperimentRecord(TimesRecord):
    """An experiment."""

    id: str
    type: Literal["experiment"]
    state: StateName
    parameters: dict[str, str]
    result: dict[str, object] | None
    """Reported and measured values by name."""
    measured: NotRequired[dict[str, MeasuredRecord]]
    """Only if riseml.yml names metrics."""
    progress: list[int] | None
    """Steps that are done, and all steps."""
    reason: str
    message: str
    exit_code: int | None
    held_until: Time | None
    """Until when what has failed is kept; null if it is not held now."""
    workdir: str
    """Which files of its working directory were kept, in words."""
    notes: list[str]
    jobs: list[JobRecord]


class MarksRecord(TypedDict):
    """What the user calls a run and says of it; empty where there is nothing."""

    name: str
    tags: list[str]
    note: str


class ListedRunRecord(TimesRecord):
    """A run in a list of runs."""

    id: str
    name: str
    """The name of its Workflow."""
    marks: MarksRecord
    user: str
    submitter: NotRequired[str]
    """The name by which the cluster knows who started it, where that is known."""
    project: str
    type: Literal["set", "experiment"]
    state: StateName
    counts: dict[str, int]
    """Numbers of experiments by state."""
    experiments: list[ExperimentRecord]
    """Empty in a list, except with --long."""


class GitRecord(TypedDict):
    """The user's own Git repository when a run was started."""

    commit: str
    branch: str
    """Empty if HEAD was detached."""
    dirty: bool | None
    """Whether tracked files of the project differed from the commit; null if not known."""


class RunRecord(ListedRunRecord):
    """A run: a set, or a single experiment."""

    reason: str
    message: str
    image: str
    base_image: NotRequired[str]
    """The image that install steps start from, if it is known."""
    runner: NotRequired[str]
    """What runs the jobs on one machine: process, podman or docker."""
    framework: str
    run: list[str]
    install: list[str]
    concurrency: int | None
    """Null if nothing limits it."""
    revision: str
    """The revision of the code."""
    git: NotRequired[GitRecord]
    """The user's own repository, if there was one when the run was started."""
    image_key: NotRequired[str]
    """The key of the image or environment that install steps made."""
    result: dict[str, object] | None
    """The result of a single experiment; null for a set."""
    jobs: list[JobRecord]
    """Jobs of the run itself: build, tensorboard."""
    tensorboard: NotRequired[str | None]
    """The address of the run's own TensorBoard; null while it is not known."""
    page: NotRequired[str]
    """The page of the run in Argo's user interface."""


StatusRecord = ListedRunRecord | RunRecord | ExperimentRecord | JobRecord
DOCUMENTS = {
    "status": Document(list[ListedRunRecord] | RunRecord | ExperimentRecord | JobRecord)
}

# Titles and names of fields are a contract with scripts.
_TITLES = ("id", "user", "project", "type", "state", "created", "started", "finished")
_LONG_TITLES = ("parameters", "result")


def record(status: AnyStatus, *, listed: bool = False) -> StatusRecord:
    """Return a run, experiment or job.

    `listed` leaves out what a list of runs does not read from the engine.
    """
    if isinstance(status, JobStatus):
        return _job(status)
    if isinstance(status, ExperimentStatus):
        return _experiment(status)
    return _listed_run(status) if listed else _run(status)


def _listed_run(run: SetStatus) -> ListedRunRecord:
    fields: ListedRunRecord = {
        "id": run.id,
        "name": run.name,
        "marks": {
            "name": run.marks.name,
            "tags": list(run.marks.tags),
            "note": run.marks.note,
        },
        "user": run.user,
        "submitter": run.submitter,
        "project": run.project,
        "type": "set" if run.is_set else "experiment",
        "state": str(run.state),
        **_times(run),
        "counts": {str(state): count for state, count in run.counts.items()},
        "experiments": list(map(_experiment, run.experiments)),
    }
    if not run.submitter:
        del fields["submitter"]
    return fields


def _run(run: SetStatus) -> RunRecord:
    fields: RunRecord = {
        **_listed_run(run),
        "reason": run.reason,
        "message": run.message,
        "image": run.image,
        "base_image": run.base_image,
        "runner": run.runner,
        "framework": run.framework,
        "run": list(run.run),
        "install": list(run.install),
        "concurrency": run.concurrency,
        "revision": run.revision,
        "git": cast("GitRecord", run.git and vars(run.git)),
        "image_key": run.image_key,
        "result": _values(run.result),
        "jobs": list(map(_job, run.jobs)),
        "tensorboard": run.tensorboard_url,
        "page": run.page or "",
    }
    # These fields exist only for runs that have them.
    if not run.git:
        del fields["git"]
    if not run.image_key:
        del fields["image_key"]
    if not run.base_image:
        del fields["base_image"]
    if not run.runner:
        del fields["runner"]
    if not run.has_tensorboard:
        del fields["tensorboard"]
    if not run.page:
        del fields["page"]
    return fields


def _experiment(experiment: ExperimentStatus) -> ExperimentRecord:
    fields: ExperimentRecord = {
        "id": experiment.id,
        "type": "experiment",
        "state": str(experiment.state),
        **_times(experiment),
        "parameters": dict(experiment.parameters),
        "result": _values(experiment.result),
        "measured": measured(experiment.measured or {}),
        "progress": list(experiment.progress) if experiment.progress else None,
        "reason": experiment.reason,
        "message": experiment.message,
        "exit_code": experiment.exit_code,
        "held_until": moment(experiment.held_until),
        "workdir": experiment.workdir,
        "notes": list(experiment.notes),
        "jobs": list(map(_job, experiment.jobs)),
    }
    # Only runs whose riseml.yml names metrics have these.
    if not experiment.measured:
        del fields["measured"]
    return fields


def measured(values: Mapping[str, Mapping[str, Any]]) -> dict[str, MeasuredRecord]:
    """Return the values of the metrics that riseml.yml names."""
    # `riseml.metrics` makes them as JSON data.
    return cast("dict[str, MeasuredRecord]", dict(values))


def _job(job: JobStatus) -> JobRecord:
    return {
        "id": job.id,
        "type": job.type,
        "state": str(job.state),
        **_times(job),
        "attempt": job.attempt,
        "earlier_attempts": list(map(attempt, job.earlier)),
        "reason": job.reason,
        "message": job.message,
        "exit_code": job.exit_code,
        "held_until": moment(job.held_until),
        "workdir": job.workdir,
        "usage": _usage(job),
        "resources": resources(job.resources) if job.resources else None,
    }


def attempt(job: JobStatus) -> AttemptRecord:
    """Return one attempt of a job."""
    return {
        "attempt": job.attempt,
        "state": str(job.state),
        "started": moment(job.started),
        "finished": moment(job.finished),
        "reason": job.reason,
        "message": job.message,
        "exit_code": job.exit_code,
        "usage": _usage(job),
    }


def _usage(job: JobStatus) -> UsageRecord | None:
    # The names of the fields are those of the record.
    return cast("UsageRecord", dict(vars(job.usage))) if job.usage else None


def resources(requested: Resources) -> ResourcesRecord:
    """Return the resources of a job; memory is in bytes."""
    record: ResourcesRecord = {
        "cpus": float(requested.cpus),
        "mem": requested.mem,
        "gpus": requested.gpu_number,
    }
    if requested.gpu_mem:
        record["gpu_mem"] = requested.gpu_mem
    if requested.gpu_type:
        record["gpu_type"] = requested.gpu_type
    return record


def _times(status: AnyStatus) -> TimesRecord:
    return {
        "created": moment(status.created),
        "started": moment(status.started),
        "finished": moment(status.finished),
    }


def _values(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if result is None else dict(result)


def csv_titles(*, long: bool) -> tuple[str, ...]:
    """Return the titles of the rows of `csv_rows`."""
    return (*_TITLES, *_LONG_TITLES) if long else _TITLES


def csv_rows(run: SetStatus, status: AnyStatus, *, long: bool) -> list[list[str]]:
    """Return the row of a part of a run.

    With `long` it has parameters and result, and a row for each experiment of a set
    follows.
    """
    row = [
        status.id,
        run.user,
        run.project,
        _type(status),
        str(status.state),
        *map(exact, map(moment, (status.created, status.started, status.finished))),
    ]
    if not long:
        return [row]
    # Sets and jobs have neither, but every row needs all columns.
    experiment = experiment_of(status)
    row += [pairs(experiment.parameters), pairs(experiment.result)]
    rows = [row]
    if is_set(status):
        for experiment in status.experiments:
            rows += csv_rows(run, experiment, long=True)
    return rows


def _type(status: AnyStatus) -> str:
    if isinstance(status, JobStatus):
        return status.type
    return "set" if is_set(status) else "experiment"
