"""What killed processes of a home have left: folders and processes of runs that are not active.

    runs/<number>       the controller was killed after the run's end, or its record is lost
    output/.riseml-*    the controller was killed while it tried an overlay

Folders are renamed before they are removed, so that a new run never meets a half-removed
one.
"""

import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from riseml.engines.local.controller import container_ends, job_limits, unfinished_files
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.services import Services, workflow_key
from riseml.engines.local.home import output_folder
from riseml.engines.local.jobs import processes

TEMPORARY = ".riseml-"
"""Prefix of the names of temporary folders, which no run uses."""


def end(services: Services, active: Collection[int]) -> None:
    """Kill the processes of runs that are not active, and remove their folders."""
    folders = _take(services, active)
    if folders:
        _kill(services, active)
    for folder in folders:
        for directory in folder.glob("*/"):
            job_limits.remove_groups(directory)
    unfinished = unfinished_files.find(services.layout.home, is_idle=not active)
    services.remover.discard([*folders, *unfinished])
    container_ends.end_leftovers(services.layout.home, services.loop)


def _take(services: Services, active: Collection[int]) -> list[Path]:
    """Return the folders that belong to no active run, under names that none will use."""
    names = set(map(str, active))
    taken = list(output_folder(services.layout.home).glob(f"{TEMPORARY}*"))
    for folder in (services.layout.home / "runs").iterdir():
        if folder.name in names:
            continue
        if not folder.name.startswith(TEMPORARY):
            logger.info("%s belongs to no active run: it is removed", folder)
            folder = rename(folder)  # noqa: PLW2901
        taken.append(folder)
    return taken


def rename(folder: Path) -> Path:
    """Give a folder a name that no run uses; return its path."""
    target = folder.with_name(f"{TEMPORARY}{folder.name}-{time.time_ns()}")
    # It stays where it is if another process removes it, or the disk does not allow it.
    with suppress(OSError):
        return folder.rename(target)
    return folder


def _kill(services: Services, active: Collection[int]) -> None:
    prefix = f"{services.identity}:"
    keys = set(map(processes.key_of, _pids()))
    for key in filter(None, keys):
        if key.startswith(prefix) and workflow_key(key) not in active:
            logger.warning("processes of %s belong to no active run: killed", key)
            processes.sweep(key)


def _pids() -> list[int]:
    if processes.LINUX:
        names = [path.name for path in Path("/proc").iterdir()]
        return [int(name) for name in names if name.isdecimal()]
    import psutil  # noqa: PLC0415

    return psutil.pids()
