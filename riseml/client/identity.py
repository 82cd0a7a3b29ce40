"""Identity of experiments: everything that decides what one of them computes.

Two experiments are the same one if their parameters, the configuration of their jobs, the
revision of their code, and their image are equal.

What only decides when, where, how often or for how long jobs run is no part of it: memory,
`timeout`, `retries`, `concurrency`, TensorBoard, and how results are read. So an
experiment that had too little memory is the same one with more of it.
"""

from typing import Any

from riseml.plan import ExperimentSet, Job


def configuration(plan: ExperimentSet) -> dict[str, Any]:
    """Return what a plan says about the jobs of each experiment, by the key of riseml.yml."""
    return {
        "image": plan.image,
        "install": list(plan.install),
        "build_files": list(plan.build_files),
        "secrets": sorted(plan.secrets),
        "framework": plan.framework,
        "isolated": plan.isolated,
        "run": {job.type: [job.script, *job.run] for job in plan.jobs},
        "env": {job.type: _variables(job) for job in plan.jobs},
        "resources": {job.type: _resources(job) for job in plan.jobs},
    }


def changes(old: ExperimentSet, new: ExperimentSet) -> list[str]:
    """Return the keys of riseml.yml in which the jobs of two plans differ."""
    old_values = configuration(old)
    new_values = configuration(new)
    return [key for key in old_values if old_values[key] != new_values[key]]


def _variables(job: Job) -> dict[str, str]:
    return {**job.env, **job.framework_env}


def _resources(job: Job) -> dict[str, Any]:
    # Libraries start as many threads as a job has CPUs.
    return {
        "count": job.count,
        "cpus": str(job.resources.cpus),
        "gpus": job.resources.gpu_number,
    }
