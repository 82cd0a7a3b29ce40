"""Checks of this machine: what every command needs, and what local runs need."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.errors import ConfigError, RiseMLError
from riseml.settings import Settings

# The oldest whose `update-index` does what snapshots need
_GIT = (2, 20)
# Bytes that the home should have
_ROOM = 1 << 30


def general(settings: Settings) -> list[Check]:
    """Return the checks that matter wherever runs go."""
    return checks(settings, _python, _git, _settings, _home, _room, _project)


def local(settings: Settings) -> list[Check]:
    """Return the checks of the local engine."""
    return checks(settings, _controller, _mounts, _capacity, _data)


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


def _settings(settings: Settings) -> Outcome:
    """Settings."""
    where = (
        f"the cluster of {settings.context}"
        if settings.engine == "argo"
        else "this machine"
    )
    there = "" if settings.file.exists() else " (not there: all is as usual)"
    return ok(f"runs go to {where}; {settings.file}{there}")


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


def _controller(settings: Settings) -> Outcome:
    """The local controller."""
    from riseml.engines.local import protocol  # noqa: PLC0415

    log = settings.home / "controller.log"
    if not protocol.answers(settings.home):
        return ok("it does not run; it starts when a run needs it")
    try:
        with protocol.connection(settings.home):
            return ok("it runs and answers")
    except RiseMLError as error:
        return failed(str(error), error.advice or f"Its log says more: {log}")


def _mounts(_: Settings) -> Outcome:
    """/code, /data and /output in jobs."""
    from riseml.engines.local.jobs.mounts import supported  # noqa: PLC0415

    if os.environ.get("RISEML_MOUNTS") == "off":
        return warning(
            "RISEML_MOUNTS=off: jobs must take OUTPUT_DIR and DATA_DIR",
            "Unset it to have real ones.",
        )
    if supported():
        return ok("as on a cluster, by mount namespaces")
    fix = "Let programs use $OUTPUT_DIR and $DATA_DIR; on Linux, user namespaces make real ones possible."
    return warning("this system allows none: jobs get variables instead", fix)


def _capacity(settings: Settings) -> Outcome:
    """What jobs may use together."""
    from riseml.engines.local.controller.machine import machine  # noqa: PLC0415

    del settings
    found = machine(os.environ)
    return ok(f"{found.cpus} cpus, {found.mem // 1_000_000} MB, {len(found.gpus)} gpus")


def _data(settings: Settings) -> Outcome:
    """The folder behind /data."""
    from riseml.engines.local import home  # noqa: PLC0415

    at = home.data_folder(settings.home)
    if at.exists() and not os.access(at, os.R_OK | os.X_OK):
        return failed(
            f"{at} cannot be read",
            "Make it readable for you, or let RISEML_DATA name another folder.",
        )
    return ok(str(at))
