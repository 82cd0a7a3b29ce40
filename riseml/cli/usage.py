"""Command `riseml usage`."""

from collections.abc import Iterator
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, TypedDict

from riseml import phrases
from riseml.cli import clock, formats, options, output, terminal
from riseml.cli.documents import Document, StateName, Time
from riseml.cli.parameters import Option
from riseml.cli.table import Column, clean, render
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.consumption import Disk, ProjectUsage, RunUsage, UsageReport

# A table of all runs may be long; `-o wide` and `-o json` have all.
_MAX_RUNS = 10
_NUMBERS = [
    Column("GPU HOURS", right=True),
    Column("CPU HOURS", right=True),
    Column("OUTPUTS", right=True),
]
_PROJECTS = [
    Column("PROJECT"),
    Column("RUNS", right=True),
    *_NUMBERS,
    Column("CODE", right=True),
]
_RUNS = [Column("ID", 6), Column("PROJECT"), Column("STATE", 9), *_NUMBERS]
_TITLES = ("id", "project", "state", "gpu_hours", "cpu_hours", "outputs")


class RunUsageRecord(TypedDict):
    """What a run has used."""

    id: str
    project: str
    state: StateName
    gpu_hours: float
    """Hours of the requested GPUs; a share of a GPU counts as that share."""
    cpu_hours: float
    """Hours of the requested cores."""
    outputs: int
    """Bytes on disk."""


class ProjectUsageRecord(TypedDict):
    """What the runs of a project have used together."""

    project: str
    runs: int
    gpu_hours: float
    cpu_hours: float
    outputs: int
    """Bytes on disk."""
    code: int
    """Bytes on disk of all snapshots; runs share them."""


class DiskRecord(TypedDict):
    """Disk space by kind, in bytes."""

    outputs: int
    code: int
    builds: int
    """What install steps have made: environments on this machine, images on a cluster."""
    other: int
    """The list of runs, and what belongs to no run."""
    total: int


class PrunableRecord(TypedDict):
    """What `riseml prune` would free now."""

    older_than: int
    """In seconds."""
    runs: list[str]
    builds: int
    """How many environments or images."""
    disk: DiskRecord


class UsageRecord(TypedDict):
    """What runs have used."""

    since: Time | None
    """The time from which hours count; null for all."""
    until: Time
    gpu_hours: float
    cpu_hours: float
    projects: list[ProjectUsageRecord]
    runs: list[RunUsageRecord]
    """The newest first."""
    disk: DiskRecord
    builds: int
    """How many environments or images there are."""
    prune: PrunableRecord | None
    """Null for a single project, since `prune` is for all."""
    notes: list[str]
    """What is not counted, in sentences."""


DOCUMENTS = {"usage": Document(UsageRecord)}


def command(
    project: Annotated[
        str | None,
        Option(
            "--project", metavar="NAME", show_default=False, help="Only this project."
        ),
    ] = None,
    since: Annotated[
        str | None,
        Option(
            "--since",
            metavar="TIME",
            show_default=False,
            help="Only hours after this: 7d ago, or a date. Default: all.",
        ),
    ] = None,
    older_than: Annotated[
        str,
        Option(
            "--older-than",
            metavar="DURATION",
            help="What `prune` with this option would free.",
        ),
    ] = "30d",
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """Show the GPU hours, CPU hours and disk space of runs.

    Hours are those of the requested GPUs and cores, of all attempts of all jobs, while they
    ran or were held. Disk space is that of now. The last lines say what `riseml prune` would
    free. Runs that were deleted are not known any more.

    Examples:
      riseml usage --since 7d
      riseml usage --project digits -o wide     all runs of a project
    """
    limit = options.parse_instant(since, clock.now()) if since else None
    age = options.parse_duration(older_than)
    usage = Client().usage(project=project, since=limit, older_than=age)
    if formats.is_for_people(output_format):
        is_long = output_format == "wide"
        output.lines(_lines(usage, is_long=is_long, headers=not no_headers))
        return
    data = formats.Data(
        records=_record(usage),
        names=[run.id for run in usage.runs],
        titles=_TITLES,
        rows=list(map(_csv_row, usage.runs)),
    )
    formats.write_data(data, output_format, headers=not no_headers)


def _lines(usage: "UsageReport", *, is_long: bool, headers: bool) -> Iterator[str]:
    screen = terminal.stdout()
    projects = list(map(_project_row, usage.projects))
    if len(projects) > 1:
        projects.append(_total_row(usage))
    yield from render(_PROJECTS, projects, screen, headers=headers)
    runs = usage.runs if is_long else _largest(usage)
    if runs:
        yield ""
        rows = list(map(_run_row, runs))
        yield from render(_RUNS, rows, screen, headers=headers)
    hidden = len(usage.runs) - len(runs)
    if hidden:
        yield f"and {phrases.plural(hidden, 'more run')}; `-o wide` lists all"
    yield ""
    yield f"Disk: {_kinds(usage.disk, usage)}"
    yield from _prune(usage)
    for note in usage.notes:
        yield clean(note)


def _largest(usage: "UsageReport") -> list["RunUsage"]:
    """Return the runs that use the most."""
    weight = attrgetter("gpu_hours", "cpu_hours", "outputs")
    return sorted(usage.runs, key=weight, reverse=True)[:_MAX_RUNS]


def _project_row(project: "ProjectUsage") -> list[str]:
    return [
        project.project,
        str(project.runs),
        *_hours(project),
        phrases.size(project.outputs),
        phrases.size(project.code),
    ]


def _total_row(usage: "UsageReport") -> list[str]:
    return [
        "all",
        str(len(usage.runs)),
        *_hours(usage),
        phrases.size(usage.disk.outputs),
        phrases.size(usage.disk.code),
    ]


def _run_row(run: "RunUsage") -> list[str]:
    size = phrases.size(run.outputs)
    return [run.id, run.project, str(run.state), *_hours(run), size]


def _hours(part: "UsageReport | ProjectUsage | RunUsage") -> list[str]:
    return [f"{part.gpu_hours:.2f}", f"{part.cpu_hours:.2f}"]


def _kinds(disk: "Disk", usage: "UsageReport") -> str:
    """Return disk space by kind in words."""
    kinds = {
        "outputs": disk.outputs,
        "code": disk.code,
        f"{usage.build_noun}s": disk.builds,
        "other": disk.other,
    }
    parts = [f"{phrases.size(size)} {kind}" for kind, size in kinds.items() if size]
    total = phrases.size(disk.total)
    return f"{total} ({', '.join(parts)})" if parts else total


def _prune(usage: "UsageReport") -> Iterator[str]:
    prunable = usage.prunable
    if prunable is None:
        return
    command = f"`riseml prune --older-than {_age(prunable.older_than)}`"
    disk = prunable.disk
    if not disk.total and not prunable.runs:
        yield f"{command} would free nothing"
        return
    yield f"{command} would free {phrases.size(disk.total)}:"
    parts = []
    if prunable.runs:
        runs = phrases.plural(len(prunable.runs), "run")
        parts.append(f"{runs} ({phrases.size(disk.outputs)})")
    if prunable.builds:
        builds = phrases.plural(prunable.builds, usage.build_noun)
        parts.append(f"{builds} ({phrases.size(disk.builds)})")
    if disk.code:
        parts.append(f"unused code ({phrases.size(disk.code)})")
    yield ", ".join(parts)


def _age(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, scale in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % scale == 0:
            return f"{seconds // scale}{unit}"
    return f"{seconds}s"


def _record(usage: "UsageReport") -> UsageRecord:
    return {
        "since": phrases.moment(usage.since),
        "until": phrases.moment(usage.until) or "",
        "gpu_hours": usage.gpu_hours,
        "cpu_hours": usage.cpu_hours,
        "projects": list(map(_project_record, usage.projects)),
        "runs": list(map(_run_record, usage.runs)),
        "disk": _disk_record(usage.disk),
        "builds": usage.builds,
        "prune": _prunable_record(usage),
        "notes": list(usage.notes),
    }


def _project_record(project: "ProjectUsage") -> ProjectUsageRecord:
    return {
        "project": project.project,
        "runs": project.runs,
        "gpu_hours": project.gpu_hours,
        "cpu_hours": project.cpu_hours,
        "outputs": project.outputs,
        "code": project.code,
    }


def _run_record(run: "RunUsage") -> RunUsageRecord:
    return {
        "id": run.id,
        "project": run.project,
        "state": str(run.state),
        "gpu_hours": run.gpu_hours,
        "cpu_hours": run.cpu_hours,
        "outputs": run.outputs,
    }


def _prunable_record(usage: "UsageReport") -> PrunableRecord | None:
    prunable = usage.prunable
    if prunable is None:
        return None
    return {
        "older_than": int(prunable.older_than.total_seconds()),
        "runs": list(prunable.runs),
        "builds": prunable.builds,
        "disk": _disk_record(prunable.disk),
    }


def _disk_record(disk: "Disk") -> DiskRecord:
    return {
        "outputs": disk.outputs,
        "code": disk.code,
        "builds": disk.builds,
        "other": disk.other,
        "total": disk.total,
    }


def _csv_row(run: "RunUsage") -> list[str]:
    return [
        run.id,
        run.project,
        str(run.state),
        f"{run.gpu_hours:.6f}",
        f"{run.cpu_hours:.6f}",
        str(run.outputs),
    ]
