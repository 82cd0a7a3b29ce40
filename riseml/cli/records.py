"""Status as plain data, for `-o json`, `-o yaml` and `-o csv`.

Names are stable, lists are always lists, and times are text in UTC.
"""

from collections.abc import Mapping
from typing import Any

from riseml.cli.statuses import AnyStatus, is_set, single_experiment
from riseml.cli.text import moment, pairs
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus

# Titles and names of fields are a contract with scripts.
_TITLES = ("id", "user", "project", "type", "state", "created", "started", "finished")
_LONG_TITLES = ("parameters", "result")


def record(status: AnyStatus, *, listed: bool = False) -> dict[str, Any]:
    """Return a run, experiment or job.

    `listed` leaves out what a list of runs does not read from the engine.
    """
    if isinstance(status, JobStatus):
        return _job(status)
    if isinstance(status, ExperimentStatus):
        return _experiment(status)
    return _listed_run(status) if listed else _run(status)


def _listed_run(run: SetStatus) -> dict[str, Any]:
    return {
        "id": run.id,
        "name": run.name,
        "user": run.user,
        "project": run.project,
        "type": _type(run),
        "state": str(run.state),
        **_times(run),
        "counts": {str(state): count for state, count in run.counts.items()},
        "experiments": [_experiment(experiment) for experiment in run.experiments],
    }


def _run(run: SetStatus) -> dict[str, Any]:
    fields = {
        **_listed_run(run),
        "reason": run.reason,
        "message": run.message,
        "image": run.image,
        "base_image": run.base_image,
        "framework": run.framework,
        "run": list(run.run),
        "install": list(run.install),
        "concurrency": run.concurrency,
        "revision": run.revision,
        "result": _values(run.result),
        "jobs": [_job(job) for job in run.jobs],
        "tensorboard": run.tensorboard_url,
        "page": run.page,
    }
    # These fields exist only for runs that have them.
    if not run.base_image:
        del fields["base_image"]
    if not run.has_tensorboard:
        del fields["tensorboard"]
    if not run.page:
        del fields["page"]
    return fields


def _experiment(experiment: ExperimentStatus) -> dict[str, Any]:
    # Only runs whose riseml.yml names metrics have these.
    measured = {"measured": dict(experiment.measured)} if experiment.measured else {}
    return {
        "id": experiment.id,
        "type": "experiment",
        "state": str(experiment.state),
        **_times(experiment),
        "parameters": dict(experiment.parameters),
        "result": _values(experiment.result),
        **measured,
        "progress": list(experiment.progress) if experiment.progress else None,
        "reason": experiment.reason,
        "message": experiment.message,
        "exit_code": experiment.exit_code,
        "workdir": experiment.workdir,
        "notes": list(experiment.notes),
        "jobs": [_job(job) for job in experiment.jobs],
    }


def _job(job: JobStatus) -> dict[str, Any]:
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
        "workdir": job.workdir,
        "resources": resources(job.resources) if job.resources else None,
    }


def attempt(job: JobStatus) -> dict[str, Any]:
    """Return one attempt of a job."""
    return {
        "attempt": job.attempt,
        "state": str(job.state),
        "started": moment(job.started),
        "finished": moment(job.finished),
        "reason": job.reason,
        "message": job.message,
        "exit_code": job.exit_code,
    }


def resources(requested: Resources) -> dict[str, float | int]:
    """Return the resources of a job; memory is in bytes."""
    return {
        "cpus": float(requested.cpus),
        "mem": requested.mem,
        "gpus": requested.gpus,
    }


def _times(status: AnyStatus) -> dict[str, str | None]:
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
        *(time or "" for time in _times(status).values()),
    ]
    if not long:
        return [row]
    # Sets and jobs have neither, but every row needs all columns.
    experiment = single_experiment(status) or ExperimentStatus(status.id)
    row += [pairs(experiment.parameters), pairs(experiment.result)]
    rows = [row]
    if isinstance(status, SetStatus) and status.is_set:
        for experiment in status.experiments:
            rows += csv_rows(run, experiment, long=True)
    return rows


def _type(status: AnyStatus) -> str:
    if isinstance(status, JobStatus):
        return status.type
    return "set" if is_set(status) else "experiment"
