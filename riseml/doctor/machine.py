"""Checks of this machine: what every command needs, wherever runs go."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.errors import ConfigError
from riseml.settings import Settings

# The oldest whose `update-index` does what snapshots need
_GIT = (2, 20)
# Bytes that the home should have
_ROOM = 1 << 30


def general(settings: Settings, destination: str) -> list[Check]:
    """Return the checks that every engine needs; `destination` says where runs go."""

    def configured(settings: Settings) -> Outcome:
        """Settings."""
        missing = "" if settings.file.exists() else " (no such file: defaults apply)"
        return ok(f"runs go to {destination}; {settings.file}{missing}")

    return checks(settings, _python, _git, configured, _home, _room, _project)


def _python(_: Settings) -> Outcome:
    """Python."""
    return ok(f"{sys.version.split()[0]} at {sys.executable}")


def _git(_: Settings) -> Outcome:
    """git, which keeps the code of runs."""
    found = shutil.which("git")
    if found is None:
        return failed(
            "there is no git on your PATH",
            "Install git, for example with `apt install git`.",
        )
    said = subprocess.run(
        [found, "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < _GIT:
        return failed(
            said or "git says no version",
            f"Install git {'.'.join(map(str, _GIT))} or newer.",
        )
    return ok(said.removeprefix("git version "))


def _home(settings: Settings) -> Outcome:
    """The home can be written."""
    at = settings.home
    while not at.exists() and at != at.parent:
        at = at.parent
    if not os.access(at, os.W_OK):
        return failed(
            f"{at} cannot be written",
            "Make it writable for you, or let RISEML_HOME name another folder.",
        )
    return ok(str(settings.home))


def _room(settings: Settings) -> Outcome:
    """Room on the home's disk."""
    at = settings.home
    while not at.exists():
        at = at.parent
    free = shutil.disk_usage(at).free
    if free < _ROOM:
        fix = "`riseml prune --older-than 14d` deletes old runs; RISEML_HOME may name a larger disk."
        return warning(f"{free >> 20} MB are free", fix)
    return ok(f"{free >> 30} GB are free")


def _project(_: Settings) -> Outcome:
    """riseml.yml of the current folder."""
    from riseml import config, planner  # noqa: PLC0415

    if not Path("riseml.yml").exists():
        return skipped("there is none here")
    try:
        loaded = config.load(Path("riseml.yml"))
        planner.plan(loaded)
    except ConfigError as error:
        faults = [fault for fault in error.faults if fault.severity == "error"]
        return failed(
            f"{len(faults)} faults, the first: {faults[0].message}",
            "`riseml check` shows all of them.",
        )
    return ok(f"project {loaded.project}")
