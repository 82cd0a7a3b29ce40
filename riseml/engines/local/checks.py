"""Checks of `riseml doctor` for the local engine; the docstring of each is its title."""

import os

from riseml.doctor.findings import Check, Outcome, checks, failed, ok, warning
from riseml.engines.local import database_faults, home, protocol
from riseml.engines.local.container_check import containers
from riseml.engines.local.controller import job_groups, job_limits
from riseml.engines.local.controller.capacity import measure_machine
from riseml.engines.local.gpu_check import gpus
from riseml.engines.local.jobs.mounts import supported
from riseml.errors import RiseMLError
from riseml.settings import Settings

_REPAIR_RECORDS = (
    "`riseml doctor --repair` restores them from their run.json. Other runs are not"
    " affected."
)
_GROUPS_ADVICE = (
    "Start RiseML from a terminal or a service that systemd runs for you (`systemd-run --user --scope -p Delegate=yes"
    " bash`) on a system with control groups of version 2, so that it may make groups."
)
_NAMED_FOLDERS = 3
_BYTES_PER_MB = 1_000_000


def engine_checks(settings: Settings) -> list[Check]:
    """Return the checks of the local engine."""
    return checks(
        settings,
        _controller,
        _database,
        _mounts,
        containers,
        _capacity,
        gpus,
        _limits,
        _data,
    )


def _database(settings: Settings) -> Outcome:
    """The list of runs."""
    # It imports the interpreter.
    from riseml.engines.local import database_check  # noqa: PLC0415

    if not settings.home.is_dir():
        return ok("there is none yet")
    examination = database_check.examine(settings.home)
    if examination.fault:
        return failed(examination.fault, database_faults.REPAIR)
    records = examination.records or {}
    if records:
        return failed("; ".join(records.values()), _REPAIR_RECORDS)
    if examination.unlisted:
        folders = ", ".join(map(str, examination.unlisted[:_NAMED_FOLDERS]))
        return warning(
            f"output of runs that are not listed: {len(examination.unlisted)} ({folders})",
            "`riseml doctor --repair` lists them again, or remove the folders.",
        )
    return ok(f"{settings.home / database_faults.NAME}: {examination.runs} runs")


def _controller(settings: Settings) -> Outcome:
    """The local controller."""
    log = protocol.log_file(settings.home)
    if not protocol.answers(settings.home):
        detail = "it is not running; it starts when a run needs it"
        return ok(f"{detail} (log: {log})" if log.exists() else detail)
    try:
        with protocol.connection(settings.home):
            return ok(f"it is running and answers (log: {log})")
    except RiseMLError as error:
        return failed(str(error), error.advice or f"See its log, {log}.")


def _mounts(_: Settings) -> Outcome:
    """/code, /data and /output in jobs."""
    if os.environ.get("RISEML_MOUNTS") == "off":
        return warning(
            "RISEML_MOUNTS=off: jobs must use OUTPUT_DIR and DATA_DIR",
            "Unset it to mount them.",
        )
    if supported():
        return ok("mounted as on a cluster, in mount namespaces")
    return warning(
        "this system does not allow mounts: jobs must use OUTPUT_DIR and DATA_DIR",
        "Let programs use $OUTPUT_DIR and $DATA_DIR. On Linux, enable user namespaces.",
    )


def _capacity(_: Settings) -> Outcome:
    """What jobs may use together."""
    capacity = measure_machine(os.environ)
    megabytes = capacity.mem // _BYTES_PER_MB
    return ok(f"{capacity.cpus} cpus, {megabytes} MB, {len(capacity.gpus)} gpus")


def _limits(settings: Settings) -> Outcome:
    """Whether jobs may use more than they request."""
    if not settings.resources_enforce:
        return ok("they may; the setting resources.enforce: true limits them")
    parents = job_groups.find()
    if parents is None:
        return warning(job_limits.NOTE.partition(". `")[0], _GROUPS_ADVICE)
    if parents.cpu is None:
        return ok("no: control groups limit memory, and a job has whole CPUs")
    return ok("no: control groups limit memory and processor time")


def _data(settings: Settings) -> Outcome:
    """The folder behind /data."""
    folder = home.data_folder(settings.home)
    if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
        return failed(
            f"{folder} cannot be read",
            "Make it readable for you, or set RISEML_DATA to another folder.",
        )
    return ok(str(folder))
