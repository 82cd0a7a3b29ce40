"""Metrics of one experiment: how far each of its files has been read, and what they say together.

    files of a listing ──advance──▶ states ──measured──▶ {"acc": {"best": 0.93, "last": 0.91, …}}

If several sources have a metric, event files count first, then CSV and JSON files, then logs.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from riseml.metric import Metric
from riseml.metrics import names, numbers
from riseml.metrics.documents import DocumentReader
from riseml.metrics.events import EventReader
from riseml.metrics.files import (
    DOCUMENT,
    EVENTS,
    LOG,
    TABLE,
    File,
    is_certain_table,
)
from riseml.metrics.log import LogReader
from riseml.metrics.names import Tagged
from riseml.metrics.reader import FileReader
from riseml.metrics.series import Point, Series
from riseml.metrics.tables import TableReader

Read = Callable[[File, int, int], bytes]
"""Returns bytes of a file, given where they start and how many to read at most."""

CACHE = ".riseml/metrics.json"
"""File in an experiment's output folder in which a reading is kept."""

_FORMAT = 1
_SOURCES = ((EVENTS,), (TABLE, DOCUMENT))


@dataclass
class _State:
    """How far a file has been read, with what its reader has seen."""

    file: File
    reader: FileReader
    offset: int = 0
    is_complete: bool = False

    def is_current(self, file: File, *, is_end: bool) -> bool:
        """Return whether a listing shows nothing new of the file."""
        return self.file == file and self.is_complete >= is_end

    def start(self, file: File) -> int:
        """Return where to read on."""
        return self.reader.start(self.offset, file.size)

    def advance(self, file: File, read: Read, *, is_end: bool) -> None:
        """Read what is new."""

        def read_piece(start: int, size: int) -> bytes:
            return read(file, start, min(size, file.size - start))

        offset = self.reader.begin(self.start(file), read_piece)
        consumed = 1
        while consumed and offset < file.size:
            data = read_piece(offset, self.reader.read_bytes)
            is_last = offset + len(data) >= file.size
            consumed = self.reader.consume(data, is_end=is_end and is_last)
            offset += consumed
        self.offset, self.file, self.is_complete = offset, file, is_end


@dataclass
class Reading:
    """Everything that has been read of the files of one attempt of an experiment."""

    metrics: Sequence[Metric]
    attempt: int = 0
    _states: dict[str, _State] = field(default_factory=dict)

    def advance(self, files: Iterable[File], read: Read, *, is_end: bool) -> bool:
        """Read what is new in the files of a listing; return whether there was anything.

        `is_end` says that nothing will be added to them. Files that are gone keep what
        has been read of them.
        """
        has_changed = False
        for file in files:
            state = self._state(file)
            if not state.is_current(file, is_end=is_end):
                state.advance(file, read, is_end=is_end)
                has_changed = True
        return has_changed

    def ranges(self, files: Iterable[File], *, is_end: bool) -> list[tuple[File, int]]:
        """Return the files that `advance` would read, and where it would start."""
        ranges = []
        for file in files:
            state = self._state(file)
            if not state.is_current(file, is_end=is_end):
                ranges.append((file, state.start(file)))
        return ranges

    def measured(self) -> dict[str, dict[str, Any]]:
        """Return best and last value of each metric that has any, with steps and source."""
        values = {}
        for metric in self.metrics:
            choice = self._choose(metric)
            if choice is not None:
                series, path = choice
                reader = self._states[path].reader
                values[metric.name] = _described(metric, series, path, reader)
        return values

    def tags(self) -> list[str]:
        """Return the names of all series of event, CSV and JSON files."""
        tags: dict[str, None] = {}
        for state in self._states.values():
            if not isinstance(state.reader, LogReader):
                tags.update(dict.fromkeys(state.reader.series))
        return list(tags)

    def to_data(self) -> dict[str, Any]:
        """Return the reading as JSON data."""
        states = {}
        for path, state in self._states.items():
            states[path] = {
                "size": state.file.size,
                "modified": state.file.modified,
                "offset": state.offset,
                "is_complete": state.is_complete,
                "data": state.reader.to_data(),
            }
        return {**_identity(self), "files": states}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Continue from what `to_data` wrote, unless it is about other metrics or another attempt.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: the data is damaged.
        """
        expected = _identity(self)
        if {key: data[key] for key in expected} != expected:
            return
        states = {}
        for path, fields in data["files"].items():
            file = File(path, int(fields["size"]), float(fields["modified"]))
            reader = _reader(self.metrics, file)
            reader.restore(fields["data"])
            offset, is_complete = int(fields["offset"]), bool(fields["is_complete"])
            states[path] = _State(file, reader, offset, is_complete)
        self._states = states

    def _choose(self, metric: Metric) -> tuple[Series, str] | None:
        logged = self._choose_log(metric)
        # A pattern is for logs alone.
        if metric.pattern:
            return logged
        close = self._choose_file(metric, names.CLOSE)
        loose = self._choose_file(metric, names.LOOSE)
        return close or logged or loose

    def _choose_log(self, metric: Metric) -> tuple[Series, str] | None:
        for path, state in self._states.items():
            series = state.reader.choose(metric)
            if series is not None:
                return series, path
        return None

    def _choose_file(
        self, metric: Metric, ranks: Collection[int]
    ) -> tuple[Series, str] | None:
        for kinds in _SOURCES:
            candidates = self._tagged(kinds)
            tagged = names.choose(metric.name, candidates, ranks)
            if tagged is not None:
                return tagged.series, tagged.path
        return None

    def _tagged(self, kinds: Sequence[str]) -> list[Tagged]:
        tagged = []
        for path, state in self._states.items():
            file = state.file
            series = state.reader.series if file.kind in kinds else {}
            for tag, values in series.items():
                tagged.append(Tagged(file.folder, tag, file.modified, values, path))
        return tagged

    def _state(self, file: File) -> _State:
        """Return the state of a file, a new one if it is new or was written anew."""
        state = self._states.get(file.path)
        if state is None or file.size < state.file.size:
            state = _State(File(file.path, -1, 0.0), _reader(self.metrics, file))
            self._states[file.path] = state
        return state


def _reader(metrics: Sequence[Metric], file: File) -> FileReader:
    is_relevant = partial(_is_named, metrics, file.folder)
    if file.kind == LOG:
        return LogReader(metrics)
    if file.kind == TABLE:
        needs_steps = not is_certain_table(file.path)
        return TableReader(is_relevant, needs_steps=needs_steps)
    if file.kind == DOCUMENT:
        return DocumentReader(is_relevant)
    return EventReader(is_relevant)


def shown(measured: Mapping[str, Any]) -> Any:
    """Return the value of a metric that tables show: the best one, or the last if none is best."""
    best = measured.get("best")
    if best is None:
        return measured.get("last")
    return best


def identity(metrics: Sequence[Metric]) -> list[Any]:
    """Return what a cache records of the metrics that it is about."""
    return list(map(vars, metrics))


def _identity(reading: Reading) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "metrics": identity(reading.metrics),
        "attempt": reading.attempt,
    }


def _is_named(metrics: Sequence[Metric], folder: Sequence[str], tag: str) -> bool:
    """Return whether one of the metrics may mean a tag; without metrics, all tags are of interest."""
    if not metrics:
        return True
    fits = {names.rank(metric.name, folder, tag) for metric in metrics}
    return fits != {None}


def _described(
    metric: Metric, series: Series, path: str, reader: FileReader
) -> dict[str, Any]:
    described: dict[str, Any] = {"source": path}
    if metric.mode:
        best = series.best(metric.mode)
        _describe(described, "best", best, reader)
    _describe(described, "last", series.last, reader)
    return described


def _describe(
    described: dict[str, Any], name: str, point: Point | None, reader: FileReader
) -> None:
    described[name] = None
    if point is None:
        return
    value, step = point
    exact_value = reader.exact(value)
    described[name] = numbers.plain(exact_value)
    if step is not None:
        described[f"{name}_step"] = numbers.whole(step)
