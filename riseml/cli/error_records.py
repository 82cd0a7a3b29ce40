"""Errors as plain data: what `riseml check -o json` prints, and every command that fails."""

from collections.abc import Iterable
from typing import TypedDict

from riseml.cli.documents import Document
from riseml.errors import ConfigError, Fault, RiseMLError
from riseml.excerpts import readable, with_excerpts
from riseml.manifest import to_json


class FaultRecord(TypedDict):
    """An error, warning or note about a riseml.yml."""

    file: str
    line: int
    """Counts from 1; 0 for a fault of the file itself."""
    column: int
    """Counts from 1; 0 for a fault of the file itself."""
    severity: str
    """error, warning or note."""
    message: str
    advice: str
    source: str
    """The text of the line."""


class FailureRecord(TypedDict):
    """Why a command failed."""

    message: str
    """What is wrong, and where."""
    advice: str
    """What to do about it, or nothing."""
    exit_status: int
    faults: list[FaultRecord]
    """All faults, if a riseml.yml is wrong."""


class ErrorRecord(TypedDict):
    """The last line that a failed command writes to stderr with `-o json`."""

    error: FailureRecord


DOCUMENTS = {"error": Document(ErrorRecord)}


def to_line(error: RiseMLError, arguments: Iterable[str]) -> str:
    """Return an error as a line of JSON, with excerpts of long arguments."""
    message = with_excerpts(str(error.args[0]), arguments)
    faults = error.faults if isinstance(error, ConfigError) else ()
    record: ErrorRecord = {
        "error": {
            "message": readable(message),
            "advice": error.advice,
            "exit_status": error.exit_status,
            "faults": list(map(fault_record, faults)),
        }
    }
    return to_json(record)


def fault_record(fault: Fault) -> FaultRecord:
    """Return a fault as plain data."""
    return {
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "severity": fault.severity,
        "message": fault.message,
        "advice": fault.advice,
        "source": fault.source,
    }
