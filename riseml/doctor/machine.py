"""Checks of this machine that every command needs, whichever engine runs use."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import riseml
from riseml import disk, home_folder, own_packages
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.errors import ConfigError
from riseml.settings import Settings

# Snapshots need options of `git update-index` that older versions lack.
_OLDEST_GIT = (2, 20)
_LEAST_FREE_BYTES = 1 << 30
# Nothing can be started with less.
_TOO_LITTLE_BYTES = 1 << 20


def general(settings: Settings, destination: str) -> list[Check]:
    """Return the checks that every engine needs; `destination` says where runs go."""

    def configured(settings: Settings) -> Outcome:
        """Settings."""
        missing = "" if settings.file.exists() else " (no such file: defaults apply)"
        return ok(f"runs go to {destination}; {settings.file}{missing}")

    return checks(
        settings, _riseml, _python, _git, configured, _home, _disk_space, _project
    )


def _riseml(_: Settings) -> Outcome:
    """RiseML."""
    package = Path(riseml.__file__).parent
    version = f"{riseml.__version__} in {package}"
    earlier = own_packages.earlier_client(package.parent)
    if earlier:
        return failed(
            f"{version}, which the client of 2018 ({earlier}) is installed into as well",
            f"Remove both, then install this one: `pip uninstall riseml {own_packages.DISTRIBUTION}`, "
            f"`pip install {own_packages.DISTRIBUTION}`.",
        )
    return ok(version)


def _python(_: Settings) -> Outcome:
    """Python."""
    return ok(f"{sys.version.split()[0]} at {sys.executable}")


def _git(_: Settings) -> Outcome:
    """git, which stores the code of runs."""
    program = shutil.which("git")
    if program is None:
        return failed(
            "there is no git on your PATH",
            "Install git, for example with `apt install git`.",
        )
    process = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False
    )
    output = process.stdout.strip()
    version = re.search(r"(\d+)\.(\d+)", output)
    if version is None or tuple(map(int, version.groups())) < _OLDEST_GIT:
        return failed(
            output or "`git --version` prints no version",
            f"Install git {'.'.join(map(str, _OLDEST_GIT))} or newer.",
        )
    return ok(output.removeprefix("git version "))


def _home(settings: Settings) -> Outcome:
    """The home is writable."""
    home_folder.check(settings.home)
    folder = _existing_folder(settings.home)
    if not os.access(folder, os.W_OK):
        return failed(
            f"you cannot write to {folder}",
            "Make it writable, or set RISEML_HOME to another folder.",
        )
    return ok(str(settings.home))


def _disk_space(settings: Settings) -> Outcome:
    """Free space on the home's disk."""
    folder = _existing_folder(settings.home)
    advice = "Delete old runs with `riseml prune --older-than 14d`, or set RISEML_HOME to a folder on a larger disk."
    free = shutil.disk_usage(folder).free
    if free < _TOO_LITTLE_BYTES or not disk.free_bytes(folder):
        return failed(f"{free >> 20} MB are free: {disk.description(folder)}", advice)
    if free < _LEAST_FREE_BYTES:
        return warning(f"{free >> 20} MB are free", advice)
    return ok(f"{free >> 30} GB are free")


def _project(_: Settings) -> Outcome:
    """riseml.yml of the current folder."""
    # `doctor` should start quickly, and loading a riseml.yml imports all frameworks.
    from riseml import config, planner  # noqa: PLC0415

    if not Path("riseml.yml").exists():
        return skipped("this folder has none")
    try:
        loaded = config.load(Path("riseml.yml"))
        planner.plan(loaded)
    except ConfigError as error:
        faults = [fault for fault in error.faults if fault.severity == "error"]
        return failed(
            f"{len(faults)} faults, the first: {faults[0].message}",
            "`riseml check` lists all of them.",
        )
    return ok(f"project {loaded.project}")


def _existing_folder(home: Path) -> Path:
    """Return the home, or the closest folder above it that exists."""
    # The check must not create the home.
    folder = home
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
