"""Status of a run as JSON data: what engines keep of a run that has ended."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from riseml import marks
from riseml.plan import GitState, Metric, Resources
from riseml.status.values import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    ShardStatus,
    State,
)

_TIMES = frozenset({"created", "started", "finished", "progressed"})


def to_data(run: SetStatus) -> dict[str, Any]:
    """Return a run as data that `from_data` reads; `encode` writes its times and numbers."""
    data = dict(vars(run))
    data["experiments"] = [
        {**vars(experiment), "jobs": _jobs_to_data(experiment.jobs)}
        for experiment in run.experiments
    ]
    data["jobs"] = _jobs_to_data(run.jobs)
    data["metrics"] = list(map(vars, run.metrics))
    data["git"] = run.git and vars(run.git)
    data["shards"] = list(map(vars, run.shards))
    data["marks"] = marks.to_data(run.marks)
    return data


def from_data(data: Mapping[str, Any]) -> SetStatus:
    """Return the run that data describes, without fields that this version lacks.

    Raises:
        KeyError, TypeError, ValueError: the data does not describe a run.
    """
    values = _common(SetStatus, data)
    values["counts"] = {State(name): count for name, count in data["counts"].items()}
    values["experiments"] = tuple(map(_experiment, data["experiments"]))
    values["jobs"] = tuple(map(_job, data["jobs"]))
    excluded = data.get("excluded", {})
    values["excluded"] = {source: tuple(paths) for source, paths in excluded.items()}
    values["run"], values["install"] = tuple(data["run"]), tuple(data["install"])
    # Older records have none.
    values["metrics"] = tuple(Metric(**metric) for metric in data.get("metrics", ()))
    git = data.get("git")
    values["git"] = GitState(**git) if git else None
    values["shards"] = tuple(ShardStatus(**shard) for shard in data.get("shards", ()))
    values["marks"] = marks.from_data(data.get("marks"))
    return SetStatus(**values)


def encode(value: object) -> str:
    """Return the text of a time or number, for `json.dumps(…, default=encode)`."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _jobs_to_data(jobs: tuple[JobStatus, ...]) -> list[dict[str, Any]]:
    jobs_data = []
    for job in jobs:
        data = dict(vars(job))
        data["resources"] = job.resources and vars(job.resources)
        data["earlier"] = _jobs_to_data(job.earlier)
        jobs_data.append(data)
    return jobs_data


def _experiment(data: Mapping[str, Any]) -> ExperimentStatus:
    values = _common(ExperimentStatus, data)
    values["progress"] = tuple(data["progress"]) if data.get("progress") else None
    # Older records have none.
    values["notes"] = tuple(data.get("notes", ()))
    values["jobs"] = tuple(map(_job, data["jobs"]))
    return ExperimentStatus(**values)


def _job(data: Mapping[str, Any]) -> JobStatus:
    values = _common(JobStatus, data)
    # Older records have none.
    values["earlier"] = tuple(map(_job, data.get("earlier", ())))
    if resources := data.get("resources"):
        # Loading `decimal` takes time, and lists of runs have no jobs.
        from decimal import Decimal  # noqa: PLC0415

        values["resources"] = Resources(
            Decimal(resources["cpus"]), int(resources["mem"]), int(resources["gpus"])
        )
    return JobStatus(**values)


def _common(
    kind: type[SetStatus | ExperimentStatus | JobStatus], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a status that this version has, times and state decoded."""
    names = kind.__dataclass_fields__
    values = {name: value for name, value in data.items() if name in names}
    for name in _TIMES & names.keys():
        text = values.get(name)
        values[name] = datetime.fromisoformat(text) if text else None
    values["state"] = State(values["state"])
    return values
