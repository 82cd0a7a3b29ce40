"""Processes of a running job as others may join them: environment, directory, namespaces.

supervisor ──▶ run.sh (the job's main command) ──▶ the user's programs
                  working directory, namespaces       environment, with what run.sh exports
"""

import os
import select
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from riseml.dataclass import dataclass
from riseml.engines.local.jobs import launcher, processes

# A process may take so long between fork and exec.
_PATIENCE_SECONDS = 2.0
# The shell of the lines starts the next program within this time, if it starts any.
_PROGRAM_SECONDS = 1.0
_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class JobProcess:
    """What a command needs to run beside those of a job.

    `pid` is the job's main process, in whose namespaces the command runs.
    """

    pid: int
    environment: Mapping[str, str]
    directory: str
    umask: int


def supervisor(directory: Path) -> int | None:
    """Return the pid of the supervisor of a job's folder, None if it does not run."""
    record = launcher.read_pid(directory)
    if record is None or not processes.alive(*record):
        return None
    return record[0]


def join(directory: Path) -> None:
    """Record that a process joins the job which its supervisor does not reap.

    So the controller ends it with the job.

    Raises:
        OSError: the job has ended, or the disk is full.
    """
    path = directory / launcher.JOINED
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def await_end(supervisor_pid: int, seconds: float) -> bool:
    """Wait for the end of a job for some seconds; return whether it has ended."""
    pidfd = processes.pidfd(supervisor_pid)
    if pidfd is None:
        # The system cannot report it, or it has ended.
        if processes.exists(supervisor_pid):
            time.sleep(seconds)
        return not processes.exists(supervisor_pid)
    try:
        return bool(select.select([pidfd], (), (), seconds)[0])
    finally:
        os.close(pidfd)


def inspect(supervisor_pid: int) -> JobProcess | None:
    """Return the process of a job that runs its main command, None if there is none yet.

    The environment is that of the job's oldest program. Without a program, for instance
    while its shell reads from a pipe, it is what the shell got.
    """
    start = time.monotonic()
    while True:
        elapsed = time.monotonic() - start
        with suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            process, has_program = _inspect(psutil.Process(supervisor_pid))
            if process and (has_program or elapsed > _PROGRAM_SECONDS):
                return process
        if not processes.exists(supervisor_pid) or elapsed > _PATIENCE_SECONDS:
            return None
        time.sleep(_PAUSE_SECONDS)


def _inspect(supervising: psutil.Process) -> tuple[JobProcess | None, bool]:
    """Return the main process of a job, and whether a program of the user runs."""
    descendants = supervising.children(recursive=True)
    descendants.sort(key=_age)
    environments = list(map(_environment, descendants))
    for process, own in zip(descendants, environments, strict=True):
        # The supervisor's own copies have no working directory of a step.
        if "PWD" not in own:
            continue
        directory = process.cwd()
        of_program = _of_program(own, environments)
        environment = {**(of_program or _of_lines(own)), "PWD": directory}
        # A shell's name for the program that it has just started.
        environment.pop("_", None)
        main = JobProcess(process.pid, environment, directory, _umask(process.pid))
        return main, of_program is not None
    return None, False


def _of_program(
    main: Mapping[str, str], environments: Sequence[Mapping[str, str]]
) -> Mapping[str, str] | None:
    """Return the environment of the oldest program, None if none runs."""
    if "RISEML_DIR" not in main:
        # Its lines are not those of a user.
        return main
    library = f"{main['RISEML_DIR']}/lib"
    for environment in environments:
        if library in environment.get("PYTHONPATH", "").split(":"):
            return environment
    return None


def _of_lines(main: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment of the main command with what run.sh exports."""
    library = f"{main['RISEML_DIR']}/lib"
    path = ":".join(filter(None, (library, main.get("PYTHONPATH"))))
    return {"PYTHONUNBUFFERED": "1", **main, "PYTHONPATH": path}


def _age(process: psutil.Process) -> tuple[float, int]:
    return process.create_time(), process.pid


def _environment(process: psutil.Process) -> Mapping[str, str]:
    """Return the environment of a process, empty if it ends or cannot be read."""
    with suppress(psutil.Error, OSError):
        return process.environ()
    return {}


def _umask(pid: int) -> int:
    """Return the umask of a process, that of this process where it is not known."""
    with suppress(OSError), Path(f"/proc/{pid}/status").open() as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == "Umask":
                return int(value, 8)
    from riseml import umask  # noqa: PLC0415

    return umask.current()
