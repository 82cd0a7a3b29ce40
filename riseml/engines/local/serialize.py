"""Plans, experiments and times as JSON: what commands send to the controller, and what the database keeps."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from riseml.dataclass import dataclass, field
from riseml.plan import (
    Build,
    BuildStep,
    EarlyStop,
    Experiment,
    ExperimentSet,
    Job,
    Metric,
    Retries,
    Rounds,
    Search,
)
from riseml.status import ExperimentStatus, State
from riseml.status.data import encode, resources_from_data


@dataclass(frozen=True)
class Inherited:
    """What the jobs of a run inherit from the command that submitted it.

    `attributes` are those of `jobs/attributes.py`; none were recorded before 2.1.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, list[int]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text that the database keeps until the run has ended."""
        return json.dumps(vars(self))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Inherited":
        """Return what `to_json` wrote; it used to be the environment alone."""
        if isinstance(data.get("environment"), dict):
            return cls(**data)
        return cls(data)


def timestamp(seconds: float) -> str:
    """Return a time, in seconds since 1970, as Argo writes it; with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plan_to_data(plan: ExperimentSet) -> dict[str, Any]:
    """Return a plan as JSON data, of which `plan_from_data` makes an equal plan."""
    data = dict(vars(plan))
    data["jobs"] = list(map(_job_to_data, plan.jobs))
    # A set may have thousands of experiments, so each is as short as it can be.
    data["experiments"] = list(map(_experiment_to_data, plan.experiments))
    data["retries"] = vars(plan.retries)
    data["metrics"] = list(map(vars, plan.metrics))
    if plan.early_stop:
        metric = vars(plan.early_stop.metric)
        data["early_stop"] = {**vars(plan.early_stop), "metric": metric}
    data["search"] = vars(plan.search)
    data["rounds"] = plan.rounds and _rounds_to_data(plan.rounds)
    return data


def plan_from_data(data: Mapping[str, Any]) -> ExperimentSet:
    """Return the plan that `plan_to_data` wrote, or that JSON made of it."""
    fields = dict(data)
    fields["jobs"] = tuple(map(_job_from_data, data["jobs"]))
    fields["experiments"] = tuple(Experiment(*values) for values in data["experiments"])
    retries = data["retries"]
    fields["retries"] = Retries(retries["count"], tuple(retries["on"]))
    fields["metrics"] = tuple(Metric(**metric) for metric in data["metrics"])
    fields["search"] = Search(**data["search"])
    fields["rounds"] = _rounds(data["rounds"])
    for name in ("install", "build_files", "secrets"):
        fields[name] = tuple(data[name])
    fields["early_stop"] = _early_stop(data.get("early_stop"))
    return ExperimentSet(**fields)


def _rounds(data: Mapping[str, Any] | None) -> Rounds | None:
    if data is None:
        return None
    fields = dict(data)
    fields["install"] = tuple(data["install"])
    # Quick commands load this module, and few runs are searches in rounds.
    from riseml.distributions import space_from_data  # noqa: PLC0415

    fields["space"] = space_from_data(data["space"])
    return Rounds(**fields)


def _rounds_to_data(rounds: Rounds) -> dict[str, Any]:
    from riseml.distributions import space_to_data  # noqa: PLC0415

    space = space_to_data(rounds.space)
    return {**vars(rounds), "space": space, "settings": dict(rounds.settings)}


def _early_stop(data: Mapping[str, Any] | None) -> EarlyStop | None:
    if data is None:
        return None
    fields = dict(data)
    fields["metric"] = Metric(**data["metric"])
    fields["rungs"] = tuple(data["rungs"])
    return EarlyStop(**fields)


def _experiment_to_data(experiment: Experiment) -> list[Any]:
    values = [experiment.sub, dict(experiment.parameters), experiment.bracket]
    if experiment.attempts or experiment.resume is not None:
        values += [experiment.attempts, experiment.resume]
    return values


def _job_to_data(job: Job) -> dict[str, Any]:
    data = dict(vars(job))
    # JSON has no decimal numbers, and a float would change 0.1 cores.
    gpus = job.resources.gpus
    data["resources"] = {
        **vars(job.resources),
        "cpus": str(job.resources.cpus),
        "gpus": gpus if isinstance(gpus, int) else str(gpus),
    }
    data["env"] = dict(job.env)
    data["framework_env"] = dict(job.framework_env)
    return data


def _job_from_data(data: Mapping[str, Any]) -> Job:
    fields = dict(data)
    fields["resources"] = resources_from_data(data["resources"])
    fields["run"] = tuple(data["run"])
    return Job(**fields)


def experiment_to_json(experiment: ExperimentStatus) -> str:
    """Return an experiment, without its jobs, as the database keeps it."""
    data = {
        name: value
        for name, value in vars(experiment).items()
        if value not in (None, "", ()) and name != "jobs"
    }
    return json.dumps(data, default=encode)


def experiment_from_data(data: Mapping[str, Any]) -> ExperimentStatus:
    """Return the experiment that `experiment_to_json` wrote."""
    fields = dict(data)
    for name in ("created", "started", "finished", "progressed"):
        if name in fields:
            fields[name] = datetime.fromisoformat(fields[name])
    if "progress" in fields:
        fields["progress"] = tuple(fields["progress"])
    if "notes" in fields:
        fields["notes"] = tuple(fields["notes"])
    fields["state"] = State(fields["state"])
    return ExperimentStatus(**fields)


def build_to_data(build: Build | None) -> dict[str, Any] | None:
    """Return a build as JSON data, of which `build_from_data` makes an equal build."""
    if build is None:
        return None
    return {**vars(build), "steps": list(map(vars, build.steps))}


def build_from_data(data: Mapping[str, Any] | None) -> Build | None:
    """Return the build that `build_to_data` wrote, or that JSON made of it."""
    if data is None:
        return None
    steps = []
    for step in data["steps"]:
        files, without = tuple(step["files"]), tuple(step["without"])
        steps.append(BuildStep(**{**step, "files": files, "without": without}))
    return Build(**{**data, "steps": tuple(steps)})
