"""Curves of one experiment: all values of each metric, with their steps and times.

    .riseml/results.jsonl, event files, tables, documents, logs ──read_curves──▶ {"loss": [Point, …]}

What a program reports counts first, then the series that a metric of riseml.yml means.
All other series of event files, tables and documents follow under their own names.
"""

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from riseml.metrics import names
from riseml.metrics.documents import STEPS, DocumentReader
from riseml.metrics.events import EventReader
from riseml.metrics.files import DOCUMENT, LOG, TABLE, File, is_certain_table
from riseml.metrics.log import LogReader, Values, is_erased, step_at
from riseml.metrics.names import Tagged
from riseml.metrics.reader import FileReader
from riseml.metrics.series import Series
from riseml.metrics.tables import TableReader
from riseml.metrics.wire import Message
from riseml.plan import Metric

RESULTS = ".riseml/results.jsonl"
"""File of reported results in an experiment's output folder."""

TIMES = ".times"
"""What the name of a log or of the file of results is followed by in that of its index of times."""

Fetch = Callable[[str], bytes]
"""Returns the content of a file, given its path in the output folder; empty if there is none."""

# The field of an event with its time.
_WALL_TIME = 1
_MAX_SLICES = 500


class Point(NamedTuple):
    """One value; its step and its time (seconds since 1970) are None where they are not known."""

    step: float | None
    time: float | None
    value: float


@dataclass(slots=True)
class _Curve(Series):
    """A series that keeps all values. The file's reader knows their times."""

    reader: FileReader | None = None
    points: list[Point] = field(default_factory=list)

    def add(
        self, value: float, step: float | None = None, *, is_final: bool = True
    ) -> None:
        """Add the next value."""
        del is_final
        time = self.reader.time if self.reader else None
        self.points.append(Point(step, time, value))


class _TimedEvents(EventReader):
    """Reader of an event file that also reads the times."""

    def _read_event(self, data: bytes) -> None:
        times = Message(data).blobs(_WALL_TIME)
        self.time = _double(times[-1]) if times else None
        super()._read_event(data)


class _LogCurves(LogReader):
    """Reader of a log that reads the step of each value."""

    def extend(self, series: Series, values: Values, text: str) -> None:
        """Add the values of a block of text, without states of progress bars that were erased."""
        for value, position in values:
            if not is_erased(text, position):
                series.add(value, step_at(text, position))


class _ReportReader(FileReader):
    """Reader of the file of reported results: one JSON object a line."""

    lines = 0

    def consume(self, data: bytes, *, is_end: bool = False) -> int:
        """Read the complete lines of what follows in the file."""
        end = len(data) if is_end else data.rfind(b"\n") + 1
        for line in data[:end].splitlines():
            self.lines += 1
            with suppress(ValueError, RecursionError, AttributeError):
                self._read_report(json.loads(line))
        return end

    def _read_report(self, report: dict[str, Any]) -> None:
        numbers = {name: _number(value) for name, value in report.items()}
        known = [name for name in STEPS if numbers.get(name) is not None]
        step = numbers[known[0]] if known else float(self.lines)
        for name, value in numbers.items():
            if value is not None and name not in STEPS:
                self.add(name, value, step)


def read_curves(
    metrics: Sequence[Metric], files: Iterable[File], fetch: Fetch
) -> dict[str, list[Point]]:
    """Return the points of each series by name.

    `files` are those of the last attempt (`files.of_last_attempt`), without the file of
    results.
    """
    reports = _read(metrics, File(RESULTS, 0, 0.0), fetch)
    readers = {file: _read(metrics, file, fetch) for file in files}
    curves = _by_name(reports.series)
    tagged = list(_tagged(readers))
    shown: set[tuple[tuple[str, ...], str]] = set()
    for metric in metrics:
        source = _source(metric, readers, tagged)
        if metric.name not in curves and source:
            curves[metric.name] = _joined(source)
        shown.update((item.folder, item.tag) for item in source)
    for item in tagged:
        name = "/".join((*item.folder, item.tag))
        if (item.folder, item.tag) not in shown and name not in reports.series:
            curves.setdefault(name, []).extend(_points(item.series))
    return curves


def thinned(points: Sequence[Point], limit: int) -> list[Point]:
    """Return at most `limit` points of a curve: its ends, and the extremes between them."""
    if len(points) <= limit:
        return list(points)
    buckets = max(limit // 2, 1)
    size = math.ceil(len(points) / buckets)
    kept = []
    for start in range(0, len(points), size):
        bucket = range(start, min(start + size, len(points)))
        values = [points[index].value for index in bucket]
        extremes = {values.index(min(values)), values.index(max(values))}
        kept += [points[start + index] for index in sorted(extremes)]
    # The ends say where a curve begins and what came out of it.
    kept[0], kept[-1] = points[0], points[-1]
    return kept


def _read(metrics: Sequence[Metric], file: File, fetch: Fetch) -> FileReader:
    """Return the reader of a file that has read all of it."""
    reader = _reader(metrics, file)
    reader.new_series = lambda: _Curve(reader=reader)
    data = fetch(file.path)
    offset = 0
    for time, end in _slices(file, len(data), fetch):
        reader.time = time
        is_end = end == len(data)
        consumed = end - offset
        while offset < end and consumed:
            consumed = reader.consume(data[offset:end], is_end=is_end)
            offset += consumed
    return reader


def _reader(metrics: Sequence[Metric], file: File) -> FileReader:
    if file.path == RESULTS:
        return _ReportReader(bool)
    if file.kind == LOG:
        return _LogCurves(metrics)
    if file.kind == TABLE:
        return TableReader(bool, needs_steps=not is_certain_table(file.path))
    if file.kind == DOCUMENT:
        return DocumentReader(bool)
    return _TimedEvents(bool)


def _slices(file: File, size: int, fetch: Fetch) -> Iterator[tuple[float | None, int]]:
    """Yield the ends of the parts of a file of which it is known when they were written."""
    if file.path == RESULTS or file.kind == LOG:
        samples = _samples(fetch(f"{file.path}{TIMES}"))
        # A part takes longer to read than the lines in it.
        for time, length in samples[:: len(samples) // _MAX_SLICES + 1]:
            yield time, min(length, size)
    yield file.modified or None, size


def _samples(index: bytes) -> list[tuple[float, int]]:
    """Return the lines of an index of times: when a file had how many bytes."""
    samples: list[tuple[float, int]] = []
    for line in index.splitlines():
        time, _, length = line.partition(b" ")
        with suppress(ValueError):
            sample = (float(time), int(length))
            # A file that has become shorter was written anew.
            if samples and sample[1] < samples[-1][1]:
                samples.clear()
            samples.append(sample)
    return samples


def _source(
    metric: Metric, readers: dict[File, FileReader], tagged: list[Tagged]
) -> list[Tagged]:
    """Return the series that a metric means: of a file, joined with those that continue it, or of a log."""
    logged = []
    for file, reader in readers.items():
        series = reader.choose(metric)
        if series is not None:
            logged.append(Tagged((), metric.name, file.modified, series, file.path))
    if metric.pattern:
        return logged[:1]
    close = names.choose(metric.name, tagged, names.CLOSE)
    loose = names.choose(metric.name, tagged, names.LOOSE)
    chosen = close or (not logged and loose)
    if not chosen:
        return logged[:1]
    key = (chosen.folder, chosen.tag)
    return [item for item in tagged if (item.folder, item.tag) == key]


def _tagged(readers: dict[File, FileReader]) -> Iterator[Tagged]:
    """Yield all series of event files, tables and documents."""
    for file in sorted(readers, key=lambda file: file.path):
        reader = readers[file]
        if file.kind == LOG:
            continue
        for tag in sorted(reader.series.keys() - STEPS):
            series = reader.series[tag]
            yield Tagged(file.folder, tag, file.modified, series, file.path)


def _joined(items: Iterable[Tagged]) -> list[Point]:
    return list(chain.from_iterable(_points(item.series) for item in items))


def _by_name(series: dict[str, Series]) -> dict[str, list[Point]]:
    return {name: _points(curve) for name, curve in series.items()}


def _points(series: Series) -> list[Point]:
    return series.points if isinstance(series, _Curve) else []


def _number(value: Any) -> float | None:
    """Return a reported value as a number; NaN and infinities are reported as their names."""
    if type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"):
        with suppress(OverflowError):
            return float(value)
    return None


def _double(data: bytes) -> float:
    (value,) = struct.unpack("<d", data)
    return float(value)
