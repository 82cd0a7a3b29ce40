"""Evidence about jobs that share the user's environment and network: `riseml why`."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from riseml import job_python
from riseml.diagnosis.evidence import Holder, MemoryLimit
from riseml.engines.local.controller import failure_records, job_limits
from riseml.engines.local.reader import HomeReader
from riseml.ids import Id
from riseml.job_python import Interpreter


def python(reader: HomeReader, job: Id) -> Interpreter | None:
    """Return the Python that a job's commands found; see `SharesItsMachine.python`."""
    path = os.fsdecode(_record(reader, job, failure_records.path_file))
    if not path:
        return None
    return job_python.find(reader.read(job).run, {"PATH": path})


def port_holder(reader: HomeReader, job: Id) -> Holder | None:
    """Return who held a job's port; see `SharesItsMachine.port_holder`."""
    record = _record(reader, job, failure_records.port_file)
    return Holder(**json.loads(record)) if record else None


def memory_limit(reader: HomeReader, job: Id) -> MemoryLimit | None:
    """Return the limit that a job failed at; see `SharesItsMachine.memory_limit`."""
    record = _record(reader, job, job_limits.limit_file)
    return MemoryLimit(**json.loads(record)) if record else None


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
