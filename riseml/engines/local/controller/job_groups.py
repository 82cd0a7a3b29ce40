"""Control groups that limit what jobs use: found, made, read and removed.

    own group, and those above it ──find──▶ Parents ──make──▶ a group for each job

The supervisor of a job stays outside of its group. So it outlives a job that the kernel
kills for want of memory, and can record that.

A group below is limited by those above it as well. A group of a job is therefore never
made above one that has limits of its own: the job would escape these.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from riseml.engines.local.controller import cgroups
from riseml.engines.local.controller.log import logger

PREFIX = "riseml."
# Microseconds within which a group may use its share of processor time.
_PERIOD = 100_000
# The kernel accepts no smaller share, in microseconds.
_LEAST_QUOTA = 1_000
_MEMBERS = "cgroup.procs"
_ENABLED = "cgroup.subtree_control"
# What the files of limits begin with where there is none; the root has no such files.
_UNLIMITED = frozenset(("max", ""))
_OOM_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class Parents(NamedTuple):
    """Folders in which a group for a job can be made.

    In version 1, memory and processors have folders of their own. `cpu` is None if
    processor time cannot be limited.
    """

    version: int
    memory: Path
    cpu: Path | None

    def make(self, name: str, mem: int, cpus: Decimal) -> tuple[Path, ...]:
        """Make a group that may use `mem` bytes and `cpus` cores; return its folders.

        Raises:
            OSError: the system refuses it.
        """
        make = self._make_2 if self.version > 1 else self._make_1
        quota = max(_LEAST_QUOTA, int(cpus * _PERIOD))
        return tuple(make(f"{PREFIX}{name}", mem, quota))

    def _make_2(self, name: str, mem: int, quota: int) -> Iterator[Path]:
        folder = _empty_group(self.memory / name)
        (folder / "memory.max").write_text(str(mem))
        # What a job cannot keep in memory must not slow the machine down.
        _attempt(folder / "memory.swap.max", "0")
        # As in a container, no process of a job continues without the others.
        _attempt(folder / "memory.oom.group", "1")
        if self.cpu:
            (folder / "cpu.max").write_text(f"{quota} {_PERIOD}")
        yield folder

    def _make_1(self, name: str, mem: int, quota: int) -> Iterator[Path]:
        folder = _empty_group(self.memory / name)
        (folder / "memory.limit_in_bytes").write_text(str(mem))
        _attempt(folder / "memory.memsw.limit_in_bytes", str(mem))
        yield folder
        if self.cpu:
            folder = _empty_group(self.cpu / name)
            (folder / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
            yield folder


def find() -> Parents | None:
    """Return where this process can make groups that limit memory; None if it cannot.

    It uses none if RISEML_CGROUPS=off.
    """
    if os.environ.get("RISEML_CGROUPS") == "off":
        return None
    for folder in map(Path, cgroups.own_folders(_read_file, "")):
        if _holds_groups(folder):
            has_cpu = "cpu" in _words(folder / _ENABLED)
            return Parents(2, folder, folder if has_cpu else None)
        if _is_limited(folder):
            break
    memory = _first_version("memory")
    return Parents(1, memory, _first_version("cpu")) if memory else None


def oom_kills(group: Path) -> int:
    """Return how many processes of a group the kernel has killed for want of memory."""
    # Each version has one of these files.
    counters = _read(group / "memory.events") + _read(group / "memory.oom_control")
    match = _OOM_KILLS.search(counters)
    return int(match[1]) if match else 0


def peak(group: Path) -> int | None:
    """Return the most bytes that a group has used at once, None if it is not known."""
    usage = _read(group / "memory.peak") + _read(group / "memory.max_usage_in_bytes")
    return int(usage) if usage else None


def remove(groups: Iterable[Path]) -> list[Path]:
    """Remove groups without processes; return those that still have some.

    The kernel may need a moment for a process that was killed.
    """
    remaining = []
    for group in groups:
        try:
            group.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            remaining.append(group)
    return remaining


def _holds_groups(folder: Path) -> bool:
    """Return whether this process can make groups in a folder of version 2, and enter them."""
    if "memory" not in _words(folder / "cgroup.controllers"):
        return False
    if not (os.access(folder, os.W_OK) and os.access(folder / _MEMBERS, os.W_OK)):
        return False
    # The kernel refuses it for a group that has processes itself.
    _attempt(folder / _ENABLED, "+memory")
    _attempt(folder / _ENABLED, "+cpu")
    return "memory" in _words(folder / _ENABLED)


def _is_limited(folder: Path) -> bool:
    memory = _read(folder / "memory.max").partition("\n")[0]
    # A share of time, and the period that it is of.
    share = _read(folder / "cpu.max").partition(" ")[0]
    return not {memory, share} <= _UNLIMITED


def _first_version(controller: str) -> Path | None:
    """Return the folder of this process' group in a hierarchy of version 1."""
    own_folder = next(iter(cgroups.own_folders(_read_file, controller)), "")
    return Path(own_folder) if os.access(own_folder, os.W_OK) else None


def _empty_group(folder: Path) -> Path:
    """Make a group; an earlier attempt of the job may have left one, with its counters."""
    with suppress(OSError):
        folder.rmdir()
    folder.mkdir(exist_ok=True)
    return folder


def _words(file: Path) -> list[str]:
    return _read(file).split()


def _read(file: Path) -> str:
    return _read_file(str(file))


def _read_file(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""


def _attempt(file: Path, text: str) -> None:
    """Write what not every kernel has."""
    try:
        with file.open("r+", encoding="ascii") as opened:
            opened.write(text)
    except OSError as error:
        logger.debug("%s: %s", file, error.strerror)
