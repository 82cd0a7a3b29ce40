"""Preview of a run for `riseml train --dry-run`: its plan, and the size of its code."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict

from riseml import phrases
from riseml.cli import exclusions, formats, output, records, runners, terminal
from riseml.cli.documents import Document
from riseml.cli.records import ResourcesRecord
from riseml.cli.table import Column, render
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.client.types import Overrides
from riseml.engines.capabilities import RunnerChoice
from riseml.plan import Experiment, ExperimentSet, Job
from riseml.project import Exclusion, Survey
from riseml.settings import PROCESS

# `-o json` lists all.
_MAX_EXPERIMENTS = 20
_BYTES_PER_MEGABYTE = 1_000_000


class ExclusionRecord(TypedDict):
    """A path, or a pattern for many, that the code of a run leaves out."""

    path: str
    source: str
    """The ignore file that names it."""
    size: int | None
    """In bytes, if it is known."""
    complete: bool
    """Whether the size is exact; otherwise it is at least that."""


class PlannedJobRecord(TypedDict):
    """Jobs of one type that each experiment would have."""

    type: str
    count: int
    run: list[str]
    resources: ResourcesRecord


class PlannedExperimentRecord(TypedDict):
    """An experiment that would run."""

    sub: int
    """Its number in the set."""
    parameters: dict[str, str]


class PlanRecord(runners.RunnerFields):
    """What `riseml train` would start."""

    project: str
    type: Literal["set", "experiment"]
    image: str
    install: list[str]
    concurrency: int | None
    files: int
    """The number of files of the code."""
    bytes: int
    """The size of the code."""
    excluded: list[ExclusionRecord]
    jobs: list[PlannedJobRecord]
    experiments: list[PlannedExperimentRecord]
    differences: list[str]
    """What differs from a cluster for these jobs, in sentences."""


DOCUMENTS = {"train-dry-run": Document(PlanRecord)}


def show(
    client: Client,
    file: str,
    output_format: str,
    *,
    gitignore: bool | None,
    overrides: Overrides,
    runner: str | None = None,
) -> int:
    """Print what would run, start nothing, and return the exit status."""
    plan = client.plan(file, overrides=overrides)
    choice = client.choose_runner(plan, runner)
    differences = client.differences(plan, choice.name if choice else PROCESS)
    code = client.survey(file, gitignore=gitignore)
    if not formats.is_for_people(output_format):
        record = _record(plan, code, choice, differences)
        formats.write_data(_data(plan, record), output_format)
    else:
        screen = terminal.stdout()
        output.lines(_summary(plan, code, choice))
        output.lines(["", *_jobs(plan, screen)])
        if plan.is_set:
            output.lines(["", *_experiments(plan, screen)])
        if differences:
            output.lines(["", "Unlike on a cluster:"])
            output.lines([f"- {sentence}" for sentence in differences])
        output.note("Nothing was started.")
    return 0


def _summary(
    plan: ExperimentSet, code: Survey, choice: RunnerChoice | None
) -> list[str]:
    if plan.is_set:
        experiments = phrases.plural(len(plan.experiments), "experiment")
        run = f"a set of {experiments}, {plan.concurrency} at a time"
    else:
        run = "an experiment"
    lines = [f"Project: {plan.project}", f"Would start: {run}", f"Image: {plan.image}"]
    if choice is not None:
        lines.append(f"Runner: {choice}")
    if plan.install:
        steps = phrases.plural(len(plan.install), "step")
        lines.append(f"Install: {steps}, before anything runs")
    contents = f"{phrases.size(code.size)}, {phrases.plural(code.files, 'file')}"
    details = [contents, *exclusions.sentences(code.excluded)]
    lines.append(f"Code: {'; '.join(details)}")
    return lines


def _jobs(plan: ExperimentSet, screen: Terminal) -> list[str]:
    columns = [
        Column("JOB", 13),
        Column("COUNT", 6),
        Column("GPU", 6),
        Column("CPU", 6),
        Column("MEM", 6),
        Column("RUN", shortest=10),
    ]
    return render(columns, list(map(_job_row, plan.jobs)), screen)


def _job_row(job: Job) -> list[str]:
    requested = job.resources
    return [
        job.type,
        str(job.count),
        str(requested.gpus),
        f"{requested.cpus:.1f}",
        str(requested.mem // _BYTES_PER_MEGABYTE),
        "; ".join(job.run),
    ]


def _data(plan: ExperimentSet, record: PlanRecord) -> formats.Data:
    parameters = _parameters(plan)
    titles = ["sub"]
    for name in parameters:
        # A parameter may have the name of the first column.
        titles.append("param.sub" if name == "sub" else name)
    rows = _rows(plan.experiments, parameters)
    return formats.Data(record, [plan.project], titles, rows)


def _parameters(plan: ExperimentSet) -> list[str]:
    # Experiments of other search strategies than the grid may differ in parameters.
    parameters: set[str] = set()
    for experiment in plan.experiments:
        parameters.update(experiment.parameters)
    return sorted(parameters)


def _rows(experiments: Iterable[Experiment], parameters: list[str]) -> list[list[str]]:
    rows = []
    for experiment in experiments:
        values = [experiment.parameters.get(name, "") for name in parameters]
        rows.append([str(experiment.sub), *values])
    return rows


def _experiments(plan: ExperimentSet, screen: Terminal) -> list[str]:
    if plan.rounds:
        chosen = ", ".join(plan.parameters)
        rounds = f"Rounds of {plan.rounds.batch}: {plan.search.method} chooses {chosen}"
        return [f"{rounds} from the results of the rounds before."]
    names = _parameters(plan)
    columns = [Column("SUB", 6)]
    for name in names:
        columns.append(Column(name, 6, shortest=6))
    rows = _rows(plan.experiments[:_MAX_EXPERIMENTS], names)
    lines = render(columns, rows, screen)
    hidden = len(plan.experiments) - len(rows)
    if hidden:
        lines.append(f"... and {hidden} more; `-o json` lists all")
    return lines


def _record(
    plan: ExperimentSet,
    code: Survey,
    choice: RunnerChoice | None,
    differences: Sequence[str],
) -> PlanRecord:
    return {
        "project": plan.project,
        "type": "set" if plan.is_set else "experiment",
        "image": plan.image,
        "install": list(plan.install),
        "concurrency": plan.concurrency,
        "files": code.files,
        "bytes": code.size,
        "excluded": list(map(_exclusion_record, code.excluded)),
        "jobs": list(map(_job_record, plan.jobs)),
        "experiments": [
            {"sub": experiment.sub, "parameters": dict(experiment.parameters)}
            for experiment in plan.experiments
        ],
        "differences": list(differences),
        **runners.fields(choice),
    }


def _exclusion_record(exclusion: Exclusion) -> ExclusionRecord:
    return {
        "path": exclusion.path,
        "source": exclusion.source,
        "size": exclusion.size,
        "complete": exclusion.complete,
    }


def _job_record(job: Job) -> PlannedJobRecord:
    return {
        "type": job.type,
        "count": job.count,
        "run": list(job.run),
        "resources": records.resources(job.resources),
    }
