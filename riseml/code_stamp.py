"""Stamp of the code that plans and compiles: it changes whenever a file of that code does.

What was computed with one stamp may be used again with the same stamp, and with no other.
"""

import os
import sys
import time
from importlib.machinery import PathFinder

import riseml

# Planning and compiling import nothing above these packages; `pyproject.toml` has the layers.
PACKAGES = (
    "compiler",
    "config",
    "frameworks",
    "metrics",
    "project",
    "queues",
    "rounds",
    "schema",
    "search",
    "status",
)
# Packages of others that they import.
_OTHERS = ("hera", "jinja2", "pydantic", "yaml")
# Clocks of files and of processes have different resolutions.
_UNCERTAIN_SECONDS = 0.1
# Position in /proc/self/stat, counted from the field after the name of the program.
_START_TIME = 19
_PACKAGE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib loads slowly


def current() -> str | None:
    """Return the stamp of the files that this process has loaded, or is going to load.

    It is None if a file has changed since the process began, since both versions may have been
    loaded then. This takes 0.5 ms.
    """
    try:
        return _stamp(_start_time())
    except (OSError, AttributeError):
        # Only Linux says when a process began. An installation may be replacing files now.
        return None


def _stamp(begun: float) -> str | None:
    # A reproducible image may say of all files that they are of 1970.
    texts = [riseml.__version__, sys.version, sys.prefix]
    stats = []
    for folder in _folders():
        texts.append(folder)
        for name, stat in sorted(_files(folder)):
            texts.append(f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}")
            stats.append(stat)
    for name in _OTHERS:
        for path in _installed(name):
            stat = os.stat(path)  # noqa: PTH116
            texts.append(f"{path} {stat.st_mtime_ns} {stat.st_ctime_ns}")
            stats.append(stat)
    newest = max(stat.st_ctime for stat in stats)
    return "\n".join(texts) if newest < begun - _UNCERTAIN_SECONDS else None


def _start_time() -> float:
    """Return when this process began, in seconds since 1970."""
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
        # The name of the program is in parentheses, and may contain any character.
        fields = file.read().rpartition(b")")[2].split()
    since_boot = int(fields[_START_TIME]) / os.sysconf("SC_CLK_TCK")
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot
    return time.time() - age


def _folders() -> list[str]:
    """Return the folders of the code, and of the templates beside it or in it."""
    folders = [_PACKAGE]
    folders += [os.path.join(_PACKAGE, name) for name in PACKAGES]  # noqa: PTH118
    for parent in (_PACKAGE, os.path.dirname(_PACKAGE)):  # noqa: PTH120
        templates = os.path.join(parent, "templates")  # noqa: PTH118
        if os.path.isdir(templates):  # noqa: PTH112
            folders += [folder for folder, _, _ in os.walk(templates)]
            break
    return folders


def _files(folder: str) -> list[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        return [(entry.name, entry.stat()) for entry in entries if entry.is_file()]


def _installed(name: str) -> tuple[str, ...]:
    """Return paths whose times change when another version of a package is installed."""
    spec = PathFinder.find_spec(name)
    if spec is None or not spec.origin:
        return ()
    # An installation adds the folder of its metadata beside that of the package.
    return spec.origin, os.path.dirname(os.path.dirname(spec.origin))  # noqa: PTH120
