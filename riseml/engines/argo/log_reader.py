"""Reader of one job's log, in a thread: from its pod's file, or from the copy in the volume.

    pod's file ──(it lacks the start)──▶ copy ──(the file's first lines are in the copy)──▶ pod's file

The copy has what the pod's file lacks since the kubelet has replaced it. The pod has what
has not reached the volume yet.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from queue import SimpleQueue
from typing import Any

from riseml.engines import LogQuery, log_index
from riseml.engines.argo import log_seam
from riseml.engines.argo.attempt_copy import PIECE_BYTES, AttemptCopy
from riseml.engines.argo.log_events import (
    Continuation,
    Event,
    LogEnd,
    Output,
    Switch,
)
from riseml.engines.argo.pod_file import FirstLine, PodFile, is_start
from riseml.engines.argo.pod_log import PodLog
from riseml.errors import RiseMLError

# Argo's executor may write this many lines after the job's own.
_EXECUTOR_LINES = 16
_COPY_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 60.0
_RETRY_SECONDS, _MAX_FAILURES = 2.0, 3
# The run script notes the length of the copy every five seconds. A container runtime may
# be so late with a line.
_INDEX_SECONDS, _SLACK_SECONDS = 12.0, 2
# So much of the beginning of a file identifies it, unless the job repeats itself.
_HEAD_BYTES = 1 << 16
# Jobs that write more in a few seconds are read from the copy.
_MAX_WINDOW_BYTES = 32 << 20


class _Counter:
    """Counts the lines of a text that is read in pieces, and the bytes after them."""

    def __init__(self) -> None:
        self.lines, self.rest = 0, 0

    def add(self, piece: bytes) -> None:
        _, end, rest = piece.rpartition(b"\n")
        self.lines += piece.count(b"\n")
        self.rest = len(rest) if end else self.rest + len(rest)


class LogReader:
    """Reads one log into a queue, as far as its generation is that of the reader."""

    def __init__(
        self,
        log: PodLog,
        file: PodFile,
        copy: AttemptCopy,
        query: LogQuery,
        events: SimpleQueue[Event],
    ) -> None:
        self._log, self._file, self._copy = log, file, copy
        self._query, self._events = query, events
        self._generation = log.generation
        self._position_in_copy = 0
        self._seen_stamp, self._seen_at = "", 0.0
        # When to try next to go on in the pod's file, and after which pause.
        self._next_attempt, self._pause = 0.0, _COPY_SECONDS

    def read(self) -> None:
        """Read the log from the start of what was asked for."""
        self._run(self._read_first)

    def read_on(self) -> None:
        """Read the pod's file from its start; what was delivered is skipped later."""
        self._run(lambda: self._put_all(self._file.stream(**self._options())))

    def read_copy(self) -> None:
        """Read on in the copy from what was delivered of the pod's file."""
        self._run(self._read_on_in_copy)

    def _run(self, read: Callable[[], bool]) -> None:
        try:
            has_ended = read()
        except Exception as error:  # noqa: BLE001
            # An exception would end only this thread: the follower handles it.
            self._events.put(LogEnd(self._log, error, self._generation))
        else:
            if has_ended:
                self._events.put(LogEnd(self._log, None, self._generation))
        finally:
            self._copy.close()

    def _read_first(self) -> bool:
        """Read the pod's file, unless it lacks something that was asked for."""
        log = self._log
        first_line = FirstLine("", b"")
        if log.start is None or not self._is_last:
            # A file that has just been replaced is empty, and following it shows nothing.
            first_line = self._file.first_line()
            log.stamp = first_line.stamp
        pieces = self._file.stream(**self._options())
        first = first_line.text
        if log.start == 0 and self._may_be_first(first_line):
            first = next(pieces, b"")
            pieces = chain([first], pieces)
        if self._is_start_lost(first):
            self._events.put(Switch(log, self._generation))
            return False
        return self._put_all(pieces)

    def _may_be_first(self, first_line: FirstLine) -> bool:
        """Return whether only the file itself shows that it has the log from its start."""
        return self._is_last or first_line.is_first_of_log

    def _is_start_lost(self, first: bytes) -> bool:
        """Return whether a file that begins so lacks earlier lines, which the copy has."""
        if is_start(first.partition(b"\n")[0]):
            return False
        # Some lines are better than none if there is no copy.
        with contextlib.suppress(RiseMLError):
            return bool(self._copy.size())
        return False

    def _put_all(self, pieces: Iterator[bytes]) -> bool:
        for piece in pieces:
            if self._generation != self._log.generation:
                return False
            self._events.put(Output(self._log, piece, self._generation))
        return True

    def _options(self) -> dict[str, Any]:
        """Return Kubernetes' options for what was asked for."""
        query, log = self._query, self._log
        options: dict[str, Any] = {"follow": str(query.follow).lower()}
        if query.times:
            options["timestamps"] = "true"
        if log.start is not None:
            return options
        if query.tail is not None:
            # The last lines of an ended job's log may be the executor's.
            extra = 0 if log.tail is None else _EXECUTOR_LINES
            options["tailLines"] = query.tail + extra
        if query.since is not None:
            options["sinceTime"] = query.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        return options

    def _read_on_in_copy(self) -> bool:
        if self._log.failures:
            time.sleep(_COPY_SECONDS)
        while True:
            is_last = self._is_last
            position = None
            with contextlib.suppress(RiseMLError):
                position = self._position()
            if position is not None:
                self._position_in_copy = position
                return self._follow_copy()
            # There is no copy, or it is late, or the volume is full.
            if is_last or self._has_no_copy():
                return self._read_on_in_pod()
            self._log.is_complete.wait(_COPY_SECONDS)

    def _has_no_copy(self) -> bool:
        with contextlib.suppress(RiseMLError):
            return self._copy.size() is None
        return False

    def _read_on_in_pod(self) -> bool:
        """Go on with the pod's file, whatever it lacks."""
        log, first_line = self._log, self._file.first_line()
        if log.start is None and first_line.stamp == log.stamp:
            # Where the section starts would be different now.
            return True
        continuation = Continuation(0, first_line.stamp, 0, 0)
        if first_line.is_first_of_log or first_line.stamp == log.stamp:
            delivered = (log.lines_delivered, log.rest_delivered)
            continuation = Continuation(log.start or 0, first_line.stamp, *delivered)
        self._events.put(Switch(log, self._generation, continuation))
        return False

    @property
    def _is_last(self) -> bool:
        """Whether the copy is complete, or nothing more of it was asked for."""
        return self._log.is_complete.is_set() or not self._query.follow

    def _position(self) -> int | None:
        """Return the position in the copy of what was delivered, None if it has less."""
        log = self._log
        if log.start is not None:
            return self._copy.position_after(
                log.start, log.lines_delivered, log.rest_delivered
            )
        if not log.recent:
            return self._copy.beginning(self._query)
        size = self._copy.size() or 0
        first = max(0, size - _MAX_WINDOW_BYTES)
        recent = log_seam.last_position(log.recent, self._read_range(first, size))
        if recent is None:
            return None
        # What was delivered may have other line ends in the copy.
        lines = log.recent.count(b"\n")
        rest = len(log.recent) - (log.recent.rfind(b"\n") + 1)
        return self._copy.position_after(first + recent, lines, rest)

    def _read_range(self, start: int, end: int) -> bytes:
        return b"".join(self._pieces(start, end))

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield a range of the copy, as far as it is there."""
        while start < end:
            piece = self._copy.read(start, min(PIECE_BYTES, end - start))
            if not piece:
                return
            yield piece
            start += len(piece)

    def _follow_copy(self) -> bool:
        """Read the copy until the pod can go on, or to its end once the job has ended."""
        failures = 0
        while self._generation == self._log.generation:
            # The copy is complete if the job had ended before it was read.
            is_last = self._is_last
            try:
                self._put_copy()
            except RiseMLError:
                failures += 1
                if is_last and failures > _MAX_FAILURES:
                    raise
                time.sleep(_RETRY_SECONDS)
                continue
            if self._goes_on_in_pod(is_last=is_last):
                return False
            if is_last:
                return True
            self._log.is_complete.wait(_COPY_SECONDS)
        return False

    def _goes_on_in_pod(self, *, is_last: bool) -> bool:
        """Return whether the pod's file is read from now on."""
        now = time.monotonic()
        if not is_last and now < self._next_attempt:
            return False
        continuation = None
        # The pod may be gone.
        with contextlib.suppress(RiseMLError):
            continuation = self._continuation(is_last=is_last)
        if continuation is None:
            self._pause = min(2 * self._pause, _MAX_PAUSE_SECONDS)
            self._next_attempt = now + self._pause
            return False
        self._events.put(Switch(self._log, self._generation, continuation))
        return True

    def _put_copy(self) -> None:
        """Read the copy to its present end."""
        while piece := self._copy.read(self._position_in_copy):
            for text, written in self._with_times(piece, self._position_in_copy):
                output = Output(
                    self._log, text, self._generation, is_copy=True, time=written
                )
                self._events.put(output)
            self._position_in_copy += len(piece)

    def _with_times(
        self, piece: bytes, position: int
    ) -> Iterator[tuple[bytes, datetime | None]]:
        """Yield parts of a piece with their times, if the query asks for them."""
        index = self._copy.index() if self._query.times else []
        if not index:
            yield piece, None
            return
        latest, _ = index[-1]
        for seconds, text in log_index.timed(piece, position, index, latest):
            yield text, datetime.fromtimestamp(seconds, UTC)

    def _continuation(self, *, is_last: bool) -> Continuation | None:
        """Return where the pod goes on after what was read of the copy, None if that is unknown."""
        if is_last and self._has_pod_nothing_more():
            return None
        first_line = self._file.first_line()
        start = self._start_of(first_line, is_last=is_last)
        if start is None or self._file.first_line() != first_line:
            return None
        text = _Counter()
        for piece in self._pieces(start, self._position_in_copy):
            text.add(piece)
        return Continuation(start, first_line.stamp, text.lines, text.rest)

    def _has_pod_nothing_more(self) -> bool:
        """Return whether the copy ends as the pod's file does."""
        log = PodLog(self._log.job, self._log.pod)
        data = b"".join(self._file.stream(tailLines=_EXECUTOR_LINES + 1))
        text = b"".join(line.data for line in log.lines(data)) + log.unfinished().data
        length = 2 * len(text)
        end = self._copy.read(max(0, self._position_in_copy - length), length)
        return log_seam.ends_with(end.rstrip(b"\n"), text.rstrip(b"\n"))

    def _start_of(self, first_line: FirstLine, *, is_last: bool) -> int | None:
        """Return the position in the copy at which the pod's file begins."""
        if first_line.is_first_of_log:
            return 0
        if not first_line.stamp:
            return None
        seconds = int(first_line.written.timestamp())
        latest = seconds + _SLACK_SECONDS + 1
        window = self._copy.window(seconds - _SLACK_SECONDS, latest)
        end = window.end
        if end is None and (is_last or self._is_index_complete(first_line)):
            end = self._position_in_copy
        if end is None or end > self._position_in_copy:
            return None
        end = min(end + _HEAD_BYTES, self._position_in_copy)
        if end - window.start > _MAX_WINDOW_BYTES:
            return None
        text = self._read_range(window.start, end)
        start = log_seam.only_start(self._head(), text)
        return None if start is None else window.start + start

    def _head(self) -> bytes:
        """Return what the job has written at the beginning of the pod's file."""
        log = PodLog(self._log.job, self._log.pod)
        return b"".join(line.data for line in log.lines(self._file.head(_HEAD_BYTES)))

    def _is_index_complete(self, first_line: FirstLine) -> bool:
        """Return whether the index must have an entry for the beginning of the file by now."""
        now = time.monotonic()
        if first_line.stamp != self._seen_stamp:
            self._seen_stamp, self._seen_at = first_line.stamp, now
        return now - self._seen_at > _INDEX_SECONDS
