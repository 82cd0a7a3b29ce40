"""Lines of logs as data, for `riseml logs -o json`, `-o yaml` and `-o csv`."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TypedDict

from riseml.cli import output, reader_exit
from riseml.cli.documents import Document, Time
from riseml.cli.stream import without_escapes, without_overwritten
from riseml.engines import Change, Chunk
from riseml.manifest import to_json, to_yaml

# A job that never ends its line must not fill the memory; a longer line is broken.
_MAX_LINE_BYTES = 16 << 20


class LineRecord(TypedDict):
    """A line of a log; `riseml logs -o json` prints an object like this on each line."""

    job: str
    """The id of the job."""
    time: Time | None
    """When it was written, as exactly as it is known; null if it is not."""
    attempt: int
    """Counts from 0."""
    text: str
    """The line without its end. Of a progress bar, it is the last state."""


DOCUMENTS = {"logs": Document(LineRecord)}


def show(
    events: Iterable[Chunk | Change],
    output_format: str,
    grep: re.Pattern[bytes] | None = None,
) -> None:
    """Print lines as they arrive, without the changes of states between them."""
    write = _writer(output_format)
    with reader_exit.watched():
        for lines in _complete(events):
            records = [_record(line) for line in lines if _matches(grep, line)]
            output.write_exactly(write(records))
            # A reader of the pipe waits for this line.
            sys.stdout.flush()


def _complete(events: Iterable[Chunk | Change]) -> Iterator[list[Chunk]]:
    """Yield chunks of one line each, for every event."""
    unfinished: dict[str, Chunk] = {}
    for event in events:
        if isinstance(event, Chunk):
            yield _lines(event, unfinished)
    yield list(unfinished.values())


def _lines(chunk: Chunk, unfinished: dict[str, Chunk]) -> list[Chunk]:
    """Return the lines that a chunk completes; keep the rest as unfinished."""
    lines = []
    earlier = unfinished.pop(chunk.job, None)
    if earlier is not None and earlier.attempt != chunk.attempt:
        # Another attempt does not continue the line of the one before.
        lines.append(earlier)
        earlier = None
    data = chunk.data if earlier is None else earlier.data + chunk.data
    *texts, rest = data.split(b"\n")
    for text in texts:
        lines.append(_with_data(chunk, text))
    if len(rest) > _MAX_LINE_BYTES:
        lines.append(_with_data(chunk, rest))
    elif rest:
        unfinished[chunk.job] = _with_data(chunk, rest)
    return lines


def _with_data(chunk: Chunk, data: bytes) -> Chunk:
    # `dataclasses.replace` takes ten times as long, and logs have many lines.
    return Chunk(chunk.job, data, attempt=chunk.attempt, time=chunk.time)


def _matches(grep: re.Pattern[bytes] | None, line: Chunk) -> bool:
    # A pattern matches what people see.
    return grep is None or bool(grep.search(without_escapes(_visible(line))))


def _visible(line: Chunk) -> bytes:
    return without_overwritten(line.data).removesuffix(b"\r")


def _record(line: Chunk) -> LineRecord:
    return {
        "job": line.job,
        "time": _milliseconds(line.time),
        "attempt": line.attempt,
        "text": _visible(line).decode("utf-8", "replace"),
    }


def _milliseconds(time: datetime | None) -> str | None:
    """Return a time as `2018-01-31T10:20:30.123Z`."""
    if time is None:
        return None
    text = time.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _writer(output_format: str) -> Callable[[list[LineRecord]], str]:
    """Return a function that makes the text of lines."""
    if output_format == "json":
        return _json
    if output_format == "yaml":
        return _yaml
    output.csv([list(LineRecord.__annotations__)])
    return _csv


def _json(lines: list[LineRecord]) -> str:
    return "".join(f"{to_json(line)}\n" for line in lines)


def _yaml(lines: list[LineRecord]) -> str:
    return "".join(f"---\n{to_yaml(line)}" for line in lines)


def _csv(lines: list[LineRecord]) -> str:
    return output.csv_text(
        (line["job"], line["time"] or "", str(line["attempt"]), line["text"])
        for line in lines
    )
