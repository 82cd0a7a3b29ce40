"""Evidence about jobs that share the user's environment and network: `riseml why`."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from riseml.diagnosis.evidence import Holder, Interpreter
from riseml.engines.local.controller import failure_records
from riseml.engines.local.reader import HomeReader
from riseml.ids import Id

_PYTHON = re.compile(r"(?<![\w.-])(?:[\w.~-]*/)*python[\d.]*(?![\w./-])")
_VERSION = re.compile(r"Python (\S+)")
_VERSION_TIMEOUT_SECONDS = 5.0
_SHEBANG_BYTES = 200
_SHEBANG = re.compile(rb"#!\s*(/\S*python[\d.]*)\s")


def python(reader: HomeReader, job: Id) -> Interpreter | None:
    """Return the Python that a job's commands found; see `SharesItsMachine.python`."""
    path = os.fsdecode(_record(reader, job, failure_records.path_file))
    if not path:
        return None
    program = _python_of(reader.read(job).run, path)
    version = _version(program, path)
    return Interpreter(program, version) if version else None


def port_holder(reader: HomeReader, job: Id) -> Holder | None:
    """Return who held a job's port; see `SharesItsMachine.port_holder`."""
    record = _record(reader, job, failure_records.port_file)
    return Holder(**json.loads(record)) if record else None


def _record(reader: HomeReader, job: Id, file_of: Callable[[Path], Path]) -> bytes:
    """Return what was recorded about the last failed attempt of a job, if anything."""
    for log in _logs(reader, job):
        file = file_of(log)
        if file.exists():
            return file.read_bytes()
    return b""


def _logs(reader: HomeReader, job: Id) -> list[Path]:
    """Return the logs of a job, that of the last attempt first."""
    name = ".".join(map(str, filter(None, (job.type, job.index))))
    logs = reader.folder(job.experiment) / ".riseml" / "logs"
    return sorted(logs.glob(f"{name}.*.log"), key=_attempt, reverse=True)


def _attempt(log: Path) -> int:
    return int(log.name.split(".")[-2])


def _python_of(commands: Sequence[str], path: str) -> str:
    """Return the path of the Python that command lines run, empty without one."""
    match = _PYTHON.search("\n".join(commands))
    if match:
        return shutil.which(match[0], path=path) or ""
    # Tools such as torchrun name their Python in the first line of their script.
    words = [line.split()[0] for line in commands]
    programs = filter(None, map(partial(shutil.which, path=path), words))
    default = shutil.which("python3", path=path) or ""
    return next(filter(None, map(_shebang, programs)), default)


def _shebang(program: str) -> str:
    """Return the Python that a script names as its interpreter, empty without one."""
    with Path(program).open("rb") as file:
        first_line = file.readline(_SHEBANG_BYTES)
    match = _SHEBANG.match(first_line)
    return os.fsdecode(match[1]) if match else ""


def _version(program: str, path: str) -> str:
    """Return the version of a Python, empty if it does not run."""
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
        return ""
    # Python 2 writes its version to standard error.
    match = _VERSION.search(done.stdout + done.stderr)
    return match[1] if match else ""
