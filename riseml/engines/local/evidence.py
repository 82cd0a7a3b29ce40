"""Evidence about jobs that share the user's environment and network: `riseml why`."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from riseml.diagnosis.evidence import Holder, Interpreter
from riseml.engines import Query
from riseml.engines.local.controller import failure_records
from riseml.engines.local.jobs import listeners
from riseml.engines.local.reader import HomeReader
from riseml.ids import Id
from riseml.status import SetStatus

_PYTHON = re.compile(r"(?<![\w.-])(?:[\w.~-]*/)*python[\d.]*(?![\w./-])")
_VERSION = re.compile(r"Python (\S+)")
_VERSION_TIMEOUT_SECONDS = 5.0
_SHEBANG_BYTES = 200
# Experiments that ended long ago cannot have overlapped.
_MAX_RUNS = 50


def python(reader: HomeReader, job: Id) -> Interpreter | None:
    """Return the Python that a job's commands found; see `SharesItsMachine.python`."""
    for log in _logs(reader, job):
        try:
            path = os.fsdecode(failure_records.path_file(log).read_bytes())
        except OSError:
            continue
        program = _python_of(reader.read(job).run, path)
        version = None if program is None else _version(program, path)
        if program is not None and version is not None:
            return Interpreter(program, version)
    return None


def port_holder(reader: HomeReader, job: Id, port: int | None) -> Holder | None:
    """Return who held a port; see `SharesItsMachine.port_holder`.

    What the controller recorded when the job failed counts more than who listens now.
    """
    recorded = _recorded_holder(reader, job)
    if recorded is not None:
        return recorded
    if port is None:
        return None
    for listener in listeners.listeners(port):
        return Holder(port, listener.experiment, listener.command)
    return None


def neighbors(reader: HomeReader, experiment: Id) -> tuple[str, ...]:
    """Return which experiments ran when one ended; see `SharesItsMachine.neighbors`."""
    own = str(Id(number=experiment.number, sub=experiment.sub))
    runs = reader.list(Query(all=True, last=_MAX_RUNS, experiments=True))
    end = _end_of(runs, own)
    if end is None:
        return ()
    names = []
    for run in runs:
        for other in run.experiments:
            has_begun = other.started is not None and other.started <= end
            is_over = other.finished is not None and other.finished < end
            if other.id != own and has_begun and not is_over:
                names.append(other.id)
    return tuple(names)


def _end_of(runs: Sequence[SetStatus], id_: str) -> datetime | None:
    for run in runs:
        for experiment in run.experiments:
            if experiment.id == id_:
                return experiment.finished
    return None


def _recorded_holder(reader: HomeReader, job: Id) -> Holder | None:
    for log in _logs(reader, job):
        try:
            record = failure_records.port_file(log).read_text(encoding="ascii")
            fields = json.loads(record)
        except (OSError, ValueError):
            continue
        return Holder(fields["port"], fields["experiment"], fields["command"])
    return None


def _logs(reader: HomeReader, job: Id) -> list[Path]:
    """Return the logs of a job, that of the last attempt first."""
    name = job.type or ""
    if job.index is not None:
        name = f"{name}.{job.index}"
    logs = reader.folder(job.experiment) / ".riseml" / "logs"
    return sorted(logs.glob(f"{name}.*.log"), key=_attempt, reverse=True)


def _attempt(log: Path) -> int:
    attempt = log.name.split(".")[-2]
    return int(attempt) if attempt.isdigit() else 0


def _python_of(commands: Sequence[str], path: str) -> str | None:
    """Return the path of the Python that command lines run."""
    for line in commands:
        match = _PYTHON.search(line)
        if match:
            return shutil.which(match[0], path=path)
    # Tools such as torchrun name their Python in the first line of their script.
    for line in reversed(commands):
        words = line.split()
        program = shutil.which(words[0], path=path) if words else None
        if program is not None:
            interpreter = _shebang(program, path)
            if interpreter is not None:
                return interpreter
    return shutil.which("python3", path=path) or shutil.which("python", path=path)


def _shebang(program: str, path: str) -> str | None:
    """Return the Python that a script names as its interpreter, None if it names none."""
    try:
        with Path(program).open("rb") as file:
            first_line = file.read(_SHEBANG_BYTES).split(b"\n")[0].decode()
    except (OSError, UnicodeDecodeError):
        return None
    words = first_line.removeprefix("#!").split()
    if not first_line.startswith("#!") or not _PYTHON.search(words[-1]):
        return None
    return shutil.which(words[-1], path=path)


def _version(program: str, path: str) -> str | None:
    try:
        done = subprocess.run(
            [program, "-V"],
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Python 2 writes its version to standard error.
    match = _VERSION.search(done.stdout + done.stderr)
    return match[1] if match else None
