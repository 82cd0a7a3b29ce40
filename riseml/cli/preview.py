"""What `riseml train --dry-run` shows: the plan, and the code that would travel with it."""

from typing import Any

from riseml.cli import output, terminal, text
from riseml.cli.table import Column, render
from riseml.client.client import Client
from riseml.plan import ExperimentSet, Job

# Experiments listed at most, unless as JSON
_CELLS = 20


def show(client: Client, file: str, form: str, *, gitignore: bool | None) -> int:
    """Print what would run; start nothing."""
    if form == "yaml":
        from riseml.manifest import to_yaml

        output.write(to_yaml(client.compile(file, number=1, user=client.settings.user)))
        return 0
    plan = client.plan(file)
    files, size = client.measure(file, gitignore=gitignore)
    if form == "json":
        output.data(_record(plan, files, size), "json")
    elif form == "name":
        output.say(plan.project)
    else:
        output.lines(_lines(plan, files, size))
        output.note("Nothing was started.")
    return 0


def _lines(plan: ExperimentSet, files: int, size: int) -> list[str]:
    screen = terminal.stdout()
    count = len(plan.experiments)
    what = (
        f"a set of {text.plural(count, 'experiment')}, {plan.concurrency} at a time"
        if plan.is_set
        else "an experiment"
    )
    head = [f"Project: {plan.project}", f"Would start: {what}", f"Image: {plan.image}"]
    if plan.install:
        head.append(
            f"Install: {text.plural(len(plan.install), 'step')}, before anything runs"
        )
    head.append(f"Code: {text.size(size)}, {text.plural(files, 'file')}")
    columns = [
        Column("JOB", 13),
        Column("COUNT", 6),
        Column("GPU", 6),
        Column("CPU", 6),
        Column("MEM", 6),
    ]
    jobs = render(
        [*columns, Column("RUN", shortest=10)], [_job(job) for job in plan.jobs], screen
    )
    return [*head, "", *jobs, *(_cells(plan) if plan.is_set else ())]


def _job(job: Job) -> list[str]:
    asked = job.resources
    sizes = (str(asked.gpus), f"{asked.cpus:.1f}", str(asked.mem // 1_000_000))
    return [job.type, str(job.count), *sizes, "; ".join(job.run)]


def _cells(plan: ExperimentSet) -> list[str]:
    names = sorted(
        {name for experiment in plan.experiments for name in experiment.parameters}
    )
    rows = [
        [str(each.sub), *(each.parameters.get(name, "") for name in names)]
        for each in plan.experiments[:_CELLS]
    ]
    columns = [Column("SUB", 6), *(Column(name, 6, shortest=6) for name in names)]
    hidden = len(plan.experiments) - len(rows)
    more = [f"... and {hidden} more; `-o json` lists all"] if hidden else []
    return ["", *render(columns, rows, terminal.stdout()), *more]


def _record(plan: ExperimentSet, files: int, size: int) -> dict[str, Any]:
    return {
        "project": plan.project,
        "type": "set" if plan.is_set else "experiment",
        "image": plan.image,
        "install": list(plan.install),
        "concurrency": plan.concurrency,
        "files": files,
        "bytes": size,
        "jobs": [
            {
                "type": job.type,
                "count": job.count,
                "run": list(job.run),
                "resources": {
                    "cpus": float(job.resources.cpus),
                    "mem": job.resources.mem,
                    "gpus": job.resources.gpus,
                },
            }
            for job in plan.jobs
        ],
        "experiments": [
            {"sub": each.sub, "parameters": dict(each.parameters)}
            for each in plan.experiments
        ],
    }
