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
from itertools import chain, groupby
from typing import Any, NamedTuple

from riseml.metric import Metric
from riseml.metrics import names
from riseml.metrics.documents import STEPS, DocumentReader
from riseml.metrics.events import EventReader
from riseml.metrics.files import DOCUMENT, EVENTS, LOG, TABLE, File, is_certain_table
from riseml.metrics.log import LogReader, Values, is_erased, step_at
from riseml.metrics.names import Tagged
from riseml.metrics.reader import FileReader
from riseml.metrics.series import Series
from riseml.metrics.tables import TableReader
from riseml.metrics.wire import Message

RESULTS = ".riseml/results.jsonl"
"""File of reported results in an experiment's output folder."""

TIMES = ".times"
"""What the name of a log or of the file of results is followed by in that of its index of times."""

Fetch = Callable[[str], bytes]
"""Returns the content of a file, given its path in the output folder; empty if there is none."""

_NO_RESULTS = File(RESULTS, 0, 0.0)
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
        numbers: dict[str, float] = {}
        for name, value in report.items():
            number = _number(value)
            if number is not None:
                numbers[name] = number
        names_of_steps = list(filter(numbers.__contains__, STEPS))
        step = float(self.lines)
        if names_of_steps:
            step = numbers[names_of_steps[0]]
        for name in sorted(numbers.keys() - STEPS):
            self.add(name, numbers[name], step)


def read_curves(
    metrics: Sequence[Metric],
    files: Iterable[File],
    fetch: Fetch,
    reported: File = _NO_RESULTS,
) -> dict[str, list[Point]]:
    """Return the points of each series by name.

    `files` are those of the last attempt (`files.of_last_attempt`). `reported` is the
    file of results.
    """
    reports = _read(metrics, reported, fetch)
    readers = {file: _read(metrics, file, fetch) for file in files}
    tagged = list(_tagged(readers))
    curves: dict[str, list[Point]] = {}
    for item in tagged:
        curves.setdefault(_name(item), []).extend(_points(item.series))
    for metric in metrics:
        source = _source(metric, readers, tagged)
        points = list(chain.from_iterable(_points(item.series) for item in source))
        for name in map(_name, source):
            curves.pop(name, None)
        curves[metric.name] = points
    for name, series in reports.series.items():
        curves[name] = _points(series)
    return dict(filter(_has_points, curves.items()))


def thinned(points: Sequence[Point], limit: int) -> list[Point]:
    """Return at most `limit` points of a curve: its ends, and the extremes between them."""
    if len(points) <= limit:
        return list(points)
    size = math.ceil(len(points) / max(limit // 2, 1))
    thin: list[Point] = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        extremes = {min(bucket, key=_value), max(bucket, key=_value)}
        thin += sorted(extremes, key=bucket.index)
    # The ends say where a curve begins and what came out of it.
    thin[0], thin[-1] = points[0], points[-1]
    return thin


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
    if file.kind != EVENTS:
        for series in reader.series.values():
            _spread(_points(series))
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


def _spread(points: list[Point]) -> None:
    """Spread the points of each slice, which have its time, evenly since the slice before it."""
    previous: float | None = None
    position = 0
    for time, group in groupby(list(points), key=_time):
        count = len(list(group))
        if time is not None and previous is not None:
            for index in range(count):
                spread = previous + (time - previous) * (index + 1) / count
                points[position + index] = points[position + index]._replace(
                    time=spread
                )
        position += count
        previous = time


def _slices(file: File, size: int, fetch: Fetch) -> Iterator[tuple[float | None, int]]:
    """Yield the ends of the parts of a file of which it is known when they were written."""
    samples = _samples(fetch(f"{file.path}{TIMES}"))
    # Reading a slice takes longer than the lines in it.
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
    logged = [
        Tagged((), metric.name, file.modified, series, file.path)
        for file, reader in readers.items()
        if (series := reader.choose(metric))
    ]
    if metric.pattern:
        return logged[:1]
    # A log has the metric rather than a series whose name only resembles it.
    ranks = names.CLOSE if logged else (*names.CLOSE, *names.LOOSE)
    chosen = names.choose(metric.name, tagged, ranks)
    if chosen is None:
        return logged[:1]
    name = _name(chosen)
    return [item for item in tagged if _name(item) == name]


def _tagged(readers: dict[File, FileReader]) -> Iterator[Tagged]:
    """Yield all series of event files, tables and documents."""
    for file in sorted(readers, key=_path):
        series = readers[file].series
        # Series of logs have keys, not tags.
        tags = sorted(series.keys() - STEPS) if file.kind != LOG else ()
        for tag in tags:
            yield Tagged(file.folder, tag, file.modified, series[tag], file.path)


def _name(item: Tagged) -> str:
    return "/".join((*item.folder, item.tag))


def _path(file: File) -> str:
    return file.path


def _points(series: Series) -> list[Point]:
    return series.points if isinstance(series, _Curve) else []


def _value(point: Point) -> float:
    return point.value


def _time(point: Point) -> float | None:
    return point.time


def _has_points(item: tuple[str, list[Point]]) -> bool:
    return bool(item[1])


def _number(value: Any) -> float | None:
    """Return a reported value as a number; NaN and infinities are reported as their names."""
    if type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"):
        with suppress(OverflowError):
            return float(value)
    return None


def _double(data: bytes) -> float:
    (value,) = struct.unpack("<d", data)
    return float(value)
