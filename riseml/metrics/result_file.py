"""File of results that jobs report into: one JSON value per line, of which the last one counts.

    bytes at the end of the file ──read──▶ Reported: the result, and notes about lines that are not JSON

Pure: the engines read the bytes, from a folder or through the store.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from riseml.excerpts import excerpt

LINE_LIMIT = 16 << 20
"""Bytes of the longest line that is read."""
TAIL_LIMIT = 256 << 10
"""Bytes at the end of a file that are read while its job runs, unless its last line is longer."""
# JSON has numbers that are infinite, such as 1e999.
_INFINITIES = {math.inf: "Infinity", -math.inf: "-Infinity"}
_MAX_NOTES = 3
_ADVICE = "write lines with json.dumps or riseml.report_result"


@dataclass(frozen=True)
class Reported:
    """The last result of a file, None if it has none, and notes about its lines."""

    result: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tail:
    """The last bytes of a file, and how many bytes and lines precede them."""

    data: bytes
    bytes_before: int = 0
    lines_before: int = 0


def read(tail: Tail, *, has_ended: bool) -> Reported:
    """Return what the end of a file reports.

    Until the job has ended, it may be writing the last line. So that one is not called
    wrong, and a value that may be incomplete, such as a number, does not count.
    """
    lines = tail.data.split(b"\n")
    if not has_ended and not _is_complete(lines[-1]):
        lines.pop()
    first = tail.lines_before + 1
    if tail.bytes_before:
        # The first line began before these bytes.
        lines, first = lines[1:], first + 1
    last_valid = b"null"
    wrong: list[tuple[int, bytes]] = []
    for number, line in enumerate(lines, first):
        if _is_json(line):
            last_valid = line
        elif line.strip():
            wrong.append((number, line))
    return Reported(as_result(decode(last_valid)), _notes(wrong))


def lacks_result(tail: Tail, reported: Reported) -> bool:
    """Return whether only more bytes of the file can tell its last result."""
    return reported.result is None and tail.bytes_before > 0


def with_long_line(reported: Reported) -> Reported:
    """Return a report on a file whose last line is longer than the limit."""
    note = (
        f"the last line of $RESULT_FILE is longer than {LINE_LIMIT >> 20} MB, "
        "so it is not read; write long data into a file in $OUTPUT_DIR"
    )
    return Reported(reported.result, (*reported.notes, note))


def decode(text: str | bytes) -> Any:
    """Return the value of a JSON text; NaN and infinities become their names.

    Raises:
        ValueError: the text is not JSON.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=str, parse_float=_number)
    except RecursionError as error:
        raise ValueError("too deep") from error


def as_result(value: Any) -> Mapping[str, Any] | None:
    """Return a JSON value as a result: one that is not a mapping is called `result`."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return value
    return {"result": value}


def _number(text: str) -> float | str:
    value = float(text)
    return _INFINITIES.get(value, value)


def _is_complete(line: bytes) -> bool:
    """Return whether a line without its end cannot go on: `0.2` may become `0.25`."""
    return line.rstrip().endswith(b"}") and _is_json(line)


def _is_json(line: bytes) -> bool:
    try:
        # A file may have many lines, and only one of them is the result.
        json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _notes(wrong: list[tuple[int, bytes]]) -> tuple[str, ...]:
    notes = []
    for number, line in wrong[:_MAX_NOTES]:
        # A line may be long, and only its beginning is shown.
        text = excerpt(line[:1000].decode("utf-8", "replace").strip())
        notes.append(f"line {number} of $RESULT_FILE is not JSON: {text}; {_ADVICE}")
    more = len(wrong) - _MAX_NOTES
    if more > 0:
        last_number, _ = wrong[-1]
        notes.append(
            f"not JSON either: {more} more of its lines, the last of them line {last_number}"
        )
    return tuple(notes)
