"""Checks of `riseml doctor` for the local engine."""

import os

from riseml.doctor.findings import Check, Outcome, checks, failed, ok, warning
from riseml.engines.local import home, protocol
from riseml.engines.local.controller.machine import measure_machine
from riseml.engines.local.jobs.mounts import supported
from riseml.errors import RiseMLError
from riseml.settings import Settings


def engine_checks(settings: Settings) -> list[Check]:
    """Return the checks of the local engine."""
    return checks(settings, _controller, _mounts, _capacity, _data)


def _controller(settings: Settings) -> Outcome:
    """The local controller."""
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
    del settings
    capacity = measure_machine(os.environ)
    megabytes = capacity.mem // 1_000_000
    return ok(f"{capacity.cpus} cpus, {megabytes} MB, {len(capacity.gpus)} gpus")


def _data(settings: Settings) -> Outcome:
    """The folder behind /data."""
    at = home.data_folder(settings.home)
    if at.exists() and not os.access(at, os.R_OK | os.X_OK):
        return failed(
            f"{at} cannot be read",
            "Make it readable for you, or let RISEML_DATA name another folder.",
        )
    return ok(str(at))
