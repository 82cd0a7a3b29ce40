"""Plans as JSON data: what commands send to the controller, and what the cache of plans keeps."""

from collections.abc import Mapping
from typing import Any

from riseml.plan import (
    EarlyStop,
    Experiment,
    ExperimentSet,
    Job,
    Metric,
    Retries,
    Rounds,
    Search,
)
from riseml.status.data import resources_from_data


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
