"""Logs of a run, replayed and followed: files that jobs write themselves, read by position.

The log of a job is `<job>.<attempt>.log`; its attempts follow each other. Beside it,
`<job>.<attempt>.log.times` has lines `<seconds since 1970> <bytes>`: at that time the log
had that length.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from riseml import masking
from riseml.dataclass import dataclass, field, replace
from riseml.engines import Change, Chunk, LogQuery, log_index
from riseml.engines.local.file_changes import FileChanges
from riseml.engines.local.watch import Observation
from riseml.engines.selection import change, experiments, includes_run, parts
from riseml.errors import NotFoundError
from riseml.masking import Masker
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

# Each part of a log costs 20 µs, whatever its length.
_READ_BYTES = 1 << 20
_TAIL_STEP_BYTES = 1 << 18
# `tail` searches no further back for lines: a log without line breaks could be huge.
_TAIL_LIMIT_BYTES = 1 << 24
# A line without its end is shown after this time: a prompt, or a progress bar.
_PARTIAL_LINE_SECONDS = 0.3
_FILE_NAME = re.compile(r"(?P<job>.+)\.(?P<attempt>\d+)\.log")
# Experiments in these states have no logs yet.
_NOT_STARTED = frozenset({State.CREATED, State.PENDING, State.BUILDING})


@dataclass
class _Log:
    """A log file, and how far it has been read."""

    job: str
    path: Path
    masker: Masker
    attempt: int = 0
    is_timed: bool = False
    position: int = 0
    index: list[log_index.Entry] | None = None
    last_read: float = field(default_factory=time.monotonic)
    has_partial_line: bool = False

    def read(self, *, final: bool) -> Iterator[Chunk]:
        """Yield new lines; a line without its end after a while, or if `final` at once."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.position)
                while data := file.read(_READ_BYTES):
                    is_last = len(data) < _READ_BYTES
                    end = _end_of_lines(data, is_last=is_last)
                    if end:
                        yield from self._chunks(data[:end])
                    if is_last:
                        yield from self._partial_line(data[end:], final=final)
                        return
                    file.seek(self.position)
        except FileNotFoundError:
            return

    def _partial_line(self, line: bytes, *, final: bool) -> Iterator[Chunk]:
        waited = time.monotonic() - self.last_read
        self.has_partial_line = bool(line)
        if line and (final or waited > _PARTIAL_LINE_SECONDS):
            self.has_partial_line = False
            yield from self._chunks(line, partial=not final)

    def _chunks(self, data: bytes, *, partial: bool = False) -> Iterator[Chunk]:
        start = self.position
        self.position += len(data)
        self.last_read = time.monotonic()
        if not self.is_timed:
            yield Chunk(self.job, data, partial, attempt=self.attempt)
            return
        if self.index is None:
            # What is written later is read at once, so the index need not be read again.
            self.index = _read_index(self.path)
        latest = self.path.stat().st_mtime
        for seconds, lines in log_index.timed(data, start, self.index, latest):
            written = datetime.fromtimestamp(seconds, UTC)
            yield Chunk(self.job, lines, partial, attempt=self.attempt, time=written)

    def skip(self, query: LogQuery) -> None:
        """Move to where the query's `since` and `tail` begin."""
        if query.since is not None:
            self.position = offset_since(self.path, query.since)
        if query.tail is not None:
            self.position = max(self.position, offset_of_tail(self.path, query.tail))


class _Follower:
    """What has been shown of one run so far."""

    def __init__(
        self,
        query: LogQuery,
        folder: Path,
        hidden_values: Iterable[str],
        files: FileChanges,
    ) -> None:
        self._query, self._folder, self._files = query, folder, files
        self._hidden_texts = masking.forms(map(os.fsencode, hidden_values))
        self._logs: dict[Path, _Log] = {}
        # Logs that were closed stay in this set, so they are not read twice.
        self._opened: set[Path] = set()
        self._states: dict[str, State] = {}

    def update(self, run: SetStatus) -> Iterator[Chunk | Change]:
        """Yield new states and lines; the last lines of a job come before its end."""
        ended = []
        for status in parts(run, self._query.id):
            if self._states.get(status.id) == status.state:
                continue
            self._states[status.id] = status.state
            if status.state.is_terminal:
                ended.append(status)
            elif status.state is not State.CREATED:
                yield change(status)
        self._open_logs(run)
        for status in ended:
            yield from self._last_lines(status)
            yield change(status)

    def lines(self, *, final: bool = False) -> Iterator[Chunk]:
        """Yield new lines of the open logs; with `final`, close them."""
        for log in list(self._logs.values()):
            yield from self._lines_of(log, final=final)
            if log.has_partial_line:
                # Nothing else may change before it is shown.
                self._files.hurry(_PARTIAL_LINE_SECONDS)

    def _last_lines(
        self, status: SetStatus | ExperimentStatus | JobStatus
    ) -> Iterator[Chunk]:
        """Yield the new lines of an ended job, or of all jobs below it, and close the logs."""
        for log in list(self._logs.values()):
            if f"{log.job}.".startswith(f"{status.id}."):
                yield from self._lines_of(log, final=True)

    def _lines_of(self, log: _Log, *, final: bool) -> Iterator[Chunk]:
        yield from _masked(log, final=final)
        if final:
            del self._logs[log.path]

    def _open_logs(self, run: SetStatus) -> None:
        # The build of a run writes before any experiment has started.
        if includes_run(run, self._query.id):
            self._open(run.id, self._folder)
        if not run.is_set:
            return
        for experiment in experiments(run, self._query.id):
            # A repeated experiment has logs of earlier attempts.
            is_repeated = experiment.shard > 1
            if is_repeated or experiment.state not in _NOT_STARTED:
                self._open(experiment.id, self._folder / str(experiment.sub))

    def _open(self, owner: str, folder: Path) -> None:
        """Open the logs in a folder that the query selects; `owner` is their prefix."""
        logs = folder / ".riseml" / "logs"
        for path in sorted(logs.glob("*.log"), key=_job_and_attempt):
            match = _FILE_NAME.fullmatch(path.name)
            if match is None or path in self._opened:
                continue
            if self._selects(match["job"]):
                self._opened.add(path)
                masker = Masker(self._hidden_texts)
                log = _Log(
                    f"{owner}.{match['job']}",
                    path,
                    masker,
                    attempt=int(match["attempt"]),
                    is_timed=self._query.times,
                )
                log.skip(self._query)
                self._logs[path] = log
                self._files.watch(logs)

    def _selects(self, job: str) -> bool:
        selected = self._query.id
        if not selected.type:
            return True
        if not selected.index:
            return job == selected.type
        return job == f"{selected.type}.{selected.index}"


def _job_and_attempt(path: Path) -> tuple[str, int]:
    """Return a sort key: the attempts of a job follow each other."""
    match = _FILE_NAME.fullmatch(path.name)
    return (match["job"], int(match["attempt"])) if match else (path.name, 0)


def _masked(log: _Log, *, final: bool) -> Iterator[Chunk]:
    """Yield new lines of a log without secrets, also those of several lines."""
    line = b""
    chunk = Chunk(log.job, b"", attempt=log.attempt)
    for chunk in log.read(final=final):
        data = line + log.masker.feed(chunk.data)
        end = len(data)
        if chunk.data.endswith(b"\n"):
            # The rest of the last line is held back.
            end = data.rfind(b"\n") + 1
        line = data[end:]
        if end:
            yield replace(chunk, data=data[:end])
    rest = line + log.masker.flush()
    if rest:
        is_partial = not (final or rest.endswith(b"\n"))
        yield replace(chunk, data=rest, partial=is_partial)


def follow(
    query: LogQuery,
    observations: Iterable[Observation],
    folder: Path,
    hidden_values: Iterable[str],
    files: FileChanges,
) -> Iterator[Chunk | Change]:
    """Yield lines and changes of state of a run, of one of its experiments, or of a job.

    `folder` has the run's outputs. `hidden_values` are replaced by `***`. `files` learns
    where new lines will be.

    Raises:
        NotFoundError: the run has no such experiment or job.
    """
    follower = _Follower(query, folder, hidden_values, files)
    has_begun = False
    for run, is_new in observations:
        if is_new:
            has_begun = has_begun or any(parts(run, query.id))
            if not has_begun:
                _check_may_begin(query, run)
            yield from follower.update(run)
        yield from follower.lines()
        if is_new and (not query.follow or _has_ended(query, run)):
            yield from follower.lines(final=True)
            return


def _check_may_begin(query: LogQuery, run: SetStatus) -> None:
    """Refuse an experiment that does not exist, or a job that can no longer begin."""
    if query.id.type is None or run.state.is_terminal:
        raise NotFoundError(
            f"{query.id} does not exist",
            f"`riseml status {query.id.number}` lists all experiments and jobs of the run.",
        )


def _has_ended(query: LogQuery, run: SetStatus) -> bool:
    return all(status.state.is_terminal for status in parts(run, query.id))


def _end_of_lines(data: bytes, *, is_last: bool) -> int:
    """Return where the complete lines of a piece of a log end."""
    end = data.rfind(b"\n") + 1
    if not end and not is_last:
        # A line that is longer than a piece is passed on in pieces.
        return len(data)
    return end


def offset_since(path: Path, since: datetime) -> int:
    """Return where in a log the lines begin that were written after a time.

    The result is as exact as the log's index: it may include a few earlier lines.
    """
    start = since.timestamp()
    index = _read_index(path)
    if not index:
        # Without an index, the log is as old as its last change.
        status = path.stat()
        return status.st_size if status.st_mtime < start else 0
    return max((length for written, length in index if written < start), default=0)


def _read_index(path: Path) -> list[log_index.Entry]:
    """Return the index of a log, empty if it has none."""
    try:
        return log_index.parse(path.with_name(f"{path.name}.times").read_text("ascii"))
    except FileNotFoundError:
        return []


def offset_of_tail(path: Path, lines: int) -> int:
    """Return where the last lines of a log begin.

    Without line breaks, that is no further than the last megabytes.
    """
    with path.open("rb") as file:
        end = position = file.seek(0, os.SEEK_END)
        if not lines or not end:
            return end
        file.seek(end - 1)
        ends_with_break = file.read(1) == b"\n"
        # The last line's own break does not begin a line.
        missing = lines + ends_with_break
        while position and end - position < _TAIL_LIMIT_BYTES:
            step = min(_TAIL_STEP_BYTES, position)
            position -= step
            file.seek(position)
            data = file.read(step)
            breaks = data.count(b"\n")
            if breaks >= missing:
                return position + _position_of_break(data, breaks - missing) + 1
            missing -= breaks
    return position


def _position_of_break(data: bytes, number: int) -> int:
    """Return the position of a line break; `number` counts from 0."""
    position = -1
    for _ in range(number + 1):
        position = data.index(b"\n", position + 1)
    return position
