"""Status of a run as JSON data: what engines keep of a run that has ended."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from riseml import marks
from riseml.dataclass import field_names
from riseml.plan import GitState, Metric, Resources
from riseml.status.values import (
    ExperimentStatus,
    JobStatus,
    SetStatus,
    ShardStatus,
    State,
)
from riseml.usage import Usage

_TIMES = frozenset({"created", "started", "finished", "progressed", "held_until"})
_FIELDS = {
    kind: frozenset(field_names(kind))
    for kind in (SetStatus, ExperimentStatus, JobStatus)
}


def to_data(run: SetStatus) -> dict[str, Any]:
    """Return a run as data that `from_data` reads; `encode` writes its times and numbers."""
    data = dict(vars(run))
    data["experiments"] = list(map(experiment_to_data, run.experiments))
    data["jobs"] = _jobs_to_data(run.jobs)
    data["metrics"] = list(map(vars, run.metrics))
    data["git"] = run.git and vars(run.git)
    data["shards"] = list(map(vars, run.shards))
    data["marks"] = marks.to_data(run.marks)
    return data


def experiment_to_data(experiment: ExperimentStatus) -> dict[str, Any]:
    """Return an experiment as `to_data` has it."""
    return {**vars(experiment), "jobs": _jobs_to_data(experiment.jobs)}


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
        data["usage"] = job.usage and vars(job.usage)
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
    values["usage"] = Usage.from_data(data.get("usage") or {})
    if resources := data.get("resources"):
        values["resources"] = resources_from_data(resources)
    return JobStatus(**values)


def resources_from_data(data: Mapping[str, Any]) -> Resources:
    """Return resources from JSON data; records before 2.1 say nothing of the kind of GPU."""
    return _resources(
        data["cpus"],
        int(data["mem"]),
        str(data["gpus"]),
        int(data.get("gpu_mem", 0)),
        data.get("gpu_type", ""),
    )


# The jobs of a set request the same, so 2,000 take 3 ms instead of 20.
@lru_cache
def _resources(
    cpus: str, mem: int, gpus: str, gpu_mem: int, gpu_type: str
) -> Resources:
    # Loading `decimal` takes time, and lists of runs have no jobs.
    from decimal import Decimal  # noqa: PLC0415

    from riseml.quantities import gpus_of  # noqa: PLC0415

    return Resources(Decimal(cpus), mem, gpus_of(gpus), gpu_mem, gpu_type)


def _common(
    kind: type[SetStatus | ExperimentStatus | JobStatus], data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a status that this version has, times and state decoded."""
    # Names are looked up for each field of thousands of jobs.
    names = _FIELDS[kind]
    values = {name: value for name, value in data.items() if name in names}
    for name in _TIMES & names:
        text = values.get(name)
        values[name] = datetime.fromisoformat(text) if text else None
    values["state"] = State(values["state"])
    return values
