"""Status as plain data, for `-o json` and `-o yaml`: names stay, lists are always lists, times are UTC text."""

from collections.abc import Mapping
from typing import Any

from riseml.cli.text import moment, pairs
from riseml.status import ExperimentStatus, JobStatus, SetStatus


def record(
    status: SetStatus | ExperimentStatus | JobStatus, *, listed: bool = False
) -> dict[str, Any]:
    """Return a run, experiment or job; `listed` leaves out what a list of runs does not know."""
    if isinstance(status, JobStatus):
        return _job(status)
    return (
        _experiment(status)
        if isinstance(status, ExperimentStatus)
        else _run(status, listed=listed)
    )


def _run(run: SetStatus, *, listed: bool) -> dict[str, Any]:
    short = {
        "id": run.id,
        "name": run.name,
        "user": run.user,
        "project": run.project,
        "type": _kind(run),
        "state": str(run.state),
        **_times(run),
        "counts": {str(state): count for state, count in run.counts.items()},
        "experiments": [_experiment(each) for each in run.experiments],
    }
    if listed:
        return short
    return short | {
        "reason": run.reason,
        "message": run.message,
        "image": run.image,
        **({"base_image": run.base_image} if run.base_image else {}),
        "framework": run.framework,
        "run": list(run.run),
        "install": list(run.install),
        "concurrency": run.concurrency,
        "revision": run.revision,
        "result": _values(run.result),
        "jobs": [_job(job) for job in run.jobs],
        **({"tensorboard": run.tensorboard_url} if run.has_tensorboard else {}),
        **({"page": run.page} if run.page else {}),
    }


def _experiment(one: ExperimentStatus) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": "experiment",
        "state": str(one.state),
        **_times(one),
        "parameters": dict(one.parameters),
        "result": _values(one.result),
        "progress": list(one.progress) if one.progress else None,
        "reason": one.reason,
        "message": one.message,
        "exit_code": one.exit_code,
        "jobs": [_job(job) for job in one.jobs],
    }


def _job(job: JobStatus) -> dict[str, Any]:
    asked = job.resources
    return {
        "id": job.id,
        "type": job.type,
        "state": str(job.state),
        **_times(job),
        "attempt": job.attempt,
        "reason": job.reason,
        "message": job.message,
        "exit_code": job.exit_code,
        "resources": {"cpus": float(asked.cpus), "mem": asked.mem, "gpus": asked.gpus}
        if asked
        else None,
    }


def _times(status: SetStatus | ExperimentStatus | JobStatus) -> dict[str, str | None]:
    return {
        "created": moment(status.created),
        "started": moment(status.started),
        "finished": moment(status.finished),
    }


def _values(result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if result is None else dict(result)


TITLES = ("id", "user", "project", "type", "state", "created", "started", "finished")


def flat(
    run: SetStatus,
    part: SetStatus | ExperimentStatus | JobStatus,
    *,
    long: bool = False,
) -> list[list[str]]:
    """Return CSV rows below TITLES: one for `part`, and with `long` parameters and result, and one per experiment."""
    row = [part.id, run.user, run.project, _kind(part), str(part.state)]
    row += [moment(time) or "" for time in (part.created, part.started, part.finished)]
    if not long:
        return [row]
    one = (
        part.experiments[0]
        if isinstance(part, SetStatus) and not part.is_set and part.experiments
        else part
    )
    row += (
        [pairs(one.parameters), pairs(one.result)]
        if isinstance(one, ExperimentStatus)
        else ["", ""]
    )
    below = part.experiments if isinstance(part, SetStatus) and part.is_set else ()
    return [row, *(row for each in below for row in flat(run, each, long=True))]


def _kind(part: SetStatus | ExperimentStatus | JobStatus) -> str:
    if isinstance(part, JobStatus):
        return part.type
    return "set" if isinstance(part, SetStatus) and part.is_set else "experiment"
