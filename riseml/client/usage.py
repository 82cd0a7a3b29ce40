"""Usage of all runs: their hours from records, and disk space as the engine measures it."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter

from riseml import corrected_time
from riseml.client import cleanup
from riseml.client.context import ClientContext
from riseml.consumption import (
    Disk,
    DiskUse,
    ProjectUsage,
    Prunable,
    RunUsage,
    UsageReport,
)
from riseml.consumption.hours import Window, of_run
from riseml.engines.capabilities import MeasuresUsage
from riseml.errors import NotFoundError, UnsupportedError
from riseml.status import SetStatus


def usage(
    context: ClientContext,
    project: str | None,
    since: datetime | None,
    older_than: timedelta,
) -> UsageReport:
    """Return what runs have used; see `Client.usage`."""
    engine = context.engine
    if not isinstance(engine, MeasuresUsage):
        raise UnsupportedError(f"the engine {engine.name} cannot say what runs use")
    records = list(engine.records(project))
    window = Window(corrected_time.now())
    if since is not None:
        window = window._replace(since=since)
    if project is not None and not records:
        raise NotFoundError(
            f"no run belongs to a project {project}",
            "`riseml usage` lists all projects.",
        )
    removed = cleanup.ended_before(records, window.until - older_than)
    removed_ids = set(map(attrgetter("id"), removed))
    kept = [run for run in records if run.id not in removed_ids]
    space = engine.disk_use(removed, kept, time.time() - older_than.total_seconds())
    runs = list(map(partial(_run, window, space), records))
    projects = _projects(runs, space, only=project)
    return UsageReport(
        since=since,
        until=window.until,
        runs=tuple(runs),
        projects=projects,
        disk=_disk(projects, space, is_project=project is not None),
        builds=space.build_count,
        build_noun=engine.build_noun,
        prunable=None if project else _prunable(removed, older_than, space),
        notes=(*_deleted(records, project, space), *space.notes),
    )


def _run(window: Window, space: DiskUse, record: SetStatus) -> RunUsage:
    hours = of_run(record, window)
    outputs = space.outputs.get(record.id, 0)
    return RunUsage(
        record.id, record.project, record.state, hours.gpus, hours.cpus, outputs
    )


def _projects(
    runs: Sequence[RunUsage], space: DiskUse, *, only: str | None
) -> tuple[ProjectUsage, ...]:
    """Return the projects of runs, and those of which only code is left."""
    by_project: dict[str, list[RunUsage]] = {}
    for run in runs:
        by_project.setdefault(run.project, []).append(run)
    if only is None:
        for project in space.code:
            by_project.setdefault(project, [])
    projects = list(map(partial(_project, space.code), by_project.items()))
    projects.sort(key=attrgetter("gpu_hours", "cpu_hours", "outputs"), reverse=True)
    return tuple(projects)


def _project(
    code: Mapping[str, int], runs_of_project: tuple[str, Sequence[RunUsage]]
) -> ProjectUsage:
    project, runs = runs_of_project
    return ProjectUsage(
        project,
        len(runs),
        sum(map(attrgetter("gpu_hours"), runs)),
        sum(map(attrgetter("cpu_hours"), runs)),
        sum(map(attrgetter("outputs"), runs)),
        code.get(project, 0),
    )


def _disk(
    projects: Sequence[ProjectUsage], space: DiskUse, *, is_project: bool
) -> Disk:
    outputs = sum(map(attrgetter("outputs"), projects))
    code = sum(map(attrgetter("code"), projects))
    # Projects share the rest.
    if is_project:
        return Disk(outputs, code)
    return Disk(outputs, code, space.builds, space.other)


def _prunable(
    removed: Sequence[SetStatus], older_than: timedelta, space: DiskUse
) -> Prunable:
    ids = tuple(run.id for run in removed)
    return Prunable(older_than, ids, space.freed, space.unused_builds)


def _deleted(
    records: Sequence[SetStatus], project: str | None, space: DiskUse
) -> list[str]:
    """Return a sentence about runs that were deleted: their numbers are missing."""
    missing = space.last_number - len(records)
    if project is not None or missing <= 0:
        return []
    runs = "1 run was" if missing == 1 else f"{missing} runs were"
    return [f"{runs} deleted; what deleted runs have used is not counted."]
