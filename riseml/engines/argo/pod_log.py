"""Log of one pod: separates the job's lines from those of Argo's executor, across reconnects."""

import re
import time
from collections.abc import Iterable
from datetime import datetime
from threading import Event
from typing import NamedTuple

from riseml import labels
from riseml.cluster.api import Object
from riseml.dataclass import dataclass, field
from riseml.engines.argo import log_seam
from riseml.engines.argo.pod_file import FirstLine, is_start
from riseml.status import document as doc

_EXECUTOR = re.compile(rb"time=\S+ level=\w+ msg=.*argo=true")
# Progress bars overwrite a line by carriage returns, which do not end it.
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
# The length of `2018-01-31T10:20:30.123`
_MILLISECOND = 23
_EXIT = re.compile(rb"Error: exit status \d+\s*$")
# The time, stream and tag that a container runtime writes before each line
_LINE_PREFIX_BYTES = 45
_RECENT_BYTES = 1 << 16
# No kubelet replaces files that are shorter.
_LONG_FILE_BYTES = 1 << 20


class Lines(NamedTuple):
    """Lines of a job, and when they were written if that is known."""

    data: bytes
    time: datetime | None = None


@dataclass
class PodLog:
    """What was read of a job's log, and the line that has no end yet.

    `tail` limits the job's lines, which are then collected until the log ends. If it
    `is_timed`, Kubernetes writes a time before each line.

    The pod shows the newest file of its log. `start` is the position of this file in the
    copy of the log, None if it is unknown, and `stamp` the time of its first line once
    that is known. `lines` and `rest` count what was delivered of it: complete lines, and
    bytes of the next one.
    """

    job: str
    pod: str
    tail: int | None = None
    attempt: int = 0
    is_timed: bool = False
    is_open: bool = True
    start: int | None = 0
    stamp: str = ""
    lines_delivered: int = 0
    rest_delivered: int = 0
    # Counts the sources that were read; what an earlier one still delivers is ignored.
    generation: int = 0
    # The job's bytes that were delivered from the pod.
    delivered: int = 0
    # The end of what was delivered, if the position of the file is unknown.
    recent: bytes = b""
    # What was read of a file that may have been replaced since.
    held: list[bytes] = field(default_factory=list)
    file_bytes: int = 0
    partial_line: bytes = b""
    last_lines: list[Lines] = field(default_factory=list)
    received_at: float = field(default_factory=time.monotonic)
    # The executor has written that it starts the job, and that the job has ended.
    has_job_begun: bool = False
    has_job_ended: bool = False
    # The copy is being read, not the pod's file.
    reads_copy: bool = False
    # The pod's file was read to its end.
    is_read: bool = False
    # How often connections broke one after the other.
    failures: int = 0
    # Set once the job has ended, so that its copy is complete.
    is_complete: Event = field(default_factory=Event)
    _skipped_lines: int = 0
    _skipped_bytes: int = 0

    def restart(self) -> None:
        """Prepare for reading the file from its start, without what was delivered."""
        self._skipped_lines = self.lines_delivered
        self._skipped_bytes = self.rest_delivered
        self.partial_line = b""
        self.has_job_ended, self.file_bytes = False, 0
        self.held.clear()

    def leave_file(self) -> None:
        """Ignore what is still read of the pod's file: the copy is read from now on."""
        self.generation += 1
        self.partial_line = b""
        self.reads_copy, self.is_read = True, False
        self.held.clear()

    def continue_at(self, start: int, stamp: str, lines: int, rest: int) -> None:
        """Prepare for reading a file from its start, without what was read of its copy."""
        self.generation += 1
        self.reads_copy, self.is_read = False, False
        self.start, self.stamp, self.recent = start, stamp, b""
        # What the copy had of an unfinished line is read again.
        self.lines_delivered = lines
        self.rest_delivered = max(0, rest - len(self.partial_line))
        self.restart()
        # The kubelet replaces the files of this log, so it is checked from the start.
        self.file_bytes = _LONG_FILE_BYTES + 1

    @property
    def may_be_replaced(self) -> bool:
        """Whether the kubelet may have replaced the file since it was opened."""
        return self.start is None or self.file_bytes > _LONG_FILE_BYTES

    def is_file(self, first_line: FirstLine) -> bool:
        """Return whether a file that begins so is the one that is being read."""
        if not self.stamp and (first_line.is_first_of_log or not self.has_job_begun):
            self.stamp = first_line.stamp
        return self.stamp == first_line.stamp

    def count(self, data: bytes) -> None:
        """Add to the size of the file on its node."""
        self.file_bytes += len(data) + _LINE_PREFIX_BYTES * data.count(b"\n")

    def copied(self, data: bytes, written: datetime | None) -> list[Lines]:
        """Add what was read of the copy; return the lines that are complete."""
        self.received_at = time.monotonic()
        start, end, self.partial_line = (self.partial_line + data).rpartition(b"\n")
        return [Lines(start + end, written)]

    def lines(self, data: bytes) -> list[Lines]:
        """Add what was read; return the complete lines of the job that are new."""
        self.received_at = time.monotonic()
        start, end, self.partial_line = (self.partial_line + data).rpartition(b"\n")
        complete = start + end
        if self.is_timed:
            return self._timed(complete)
        # Most data has no line of the executor, and is not split into lines.
        if b"argo=true" in complete or self.has_job_ended:
            lines = _LINE.findall(complete)
            complete = b"".join(line for line in lines if self._is_from_job(line))
        return [Lines(self._new(complete))]

    def _timed(self, complete: bytes) -> list[Lines]:
        """Return lines without the times before them; those of one millisecond together."""
        timed, last_stamp = list[Lines](), b""
        for text in complete.split(b"\n")[:-1]:
            stamp, _, line = text.partition(b" ")
            line += b"\n"
            new = self._new(line) if self._is_from_job(line) else b""
            if not new:
                continue
            if timed and stamp[:_MILLISECOND] == last_stamp:
                timed[-1] = Lines(timed[-1].data + new, timed[-1].time)
            else:
                timed.append(Lines(new, _time(stamp)))
            last_stamp = stamp[:_MILLISECOND]
        return timed

    def unfinished(self) -> Lines:
        """Return the line that has no end yet, as far as it was read."""
        line, self.partial_line = self.partial_line, b""
        if self.reads_copy:
            return Lines(line)
        if not self.is_timed:
            return Lines(self._new(line))
        stamp, _, text = line.partition(b" ")
        return Lines(self._new(text), _time(stamp))

    def collect(self, lines: Iterable[Lines]) -> None:
        """Keep the last `tail` lines until the log ends."""
        for data, written in lines:
            for line in _LINE.findall(data):
                self.last_lines.append(Lines(line, written))
        surplus = len(self.last_lines) - (self.tail or 0)
        del self.last_lines[: max(0, surplus)]

    def _new(self, data: bytes) -> bytes:
        """Return what was not delivered before, and count it as delivered."""
        new = self._unskipped(data)
        self.delivered += len(new)
        if new:
            self.failures = 0
        if self.start is None:
            self.recent = (self.recent + new)[-_RECENT_BYTES:]
        ends = new.count(b"\n")
        self.lines_delivered += ends
        if ends:
            self.rest_delivered = len(new) - new.rfind(b"\n") - 1
        else:
            self.rest_delivered += len(new)
        return new

    def _unskipped(self, data: bytes) -> bytes:
        """Return data without the lines, and then the bytes, that are left to skip."""
        if self._skipped_lines:
            ends = data.count(b"\n")
            if ends < self._skipped_lines:
                self._skipped_lines -= ends
                return b""
            data = data[log_seam.after_lines(data, self._skipped_lines) :]
            self._skipped_lines = 0
        new = data[self._skipped_bytes :]
        self._skipped_bytes -= len(data) - len(new)
        return new

    def _is_from_job(self, line: bytes) -> bool:
        if _EXECUTOR.match(line):
            self.has_job_begun = self.has_job_begun or is_start(line)
            if b"sub-process exited" in line:
                self.has_job_ended = True
            return False
        # The executor repeats the exit status at the very end.
        return not (self.has_job_ended and _EXIT.match(line))


def _time(stamp: bytes) -> datetime | None:
    """Return the time that Kubernetes has written before a line."""
    try:
        return datetime.fromisoformat(stamp.decode("ascii", "replace"))
    except ValueError:
        return None


def job_key(pod: Object) -> tuple[str, str, str]:
    """Return the experiment, type and index of a pod's job as its labels name them."""
    tags = pod["metadata"].get("labels", {})
    return (
        tags.get(labels.EXPERIMENT, ""),
        tags.get(labels.TYPE, ""),
        tags.get(labels.INDEX, ""),
    )


def attempt_of(pod: Object) -> int:
    """Return the number of the attempt that a pod runs, over all Workflows of its run."""
    containers = doc.named(pod.get("spec", {}).get("containers"))
    variables = doc.variables(containers.get("main", {}))
    attempt = 0
    for name in ("RISEML_ATTEMPT", "RISEML_EARLIER_ATTEMPTS"):
        value = variables.get(name, "")
        attempt += int(value) if value.isdecimal() else 0
    return attempt


def has_ended(pod: Object) -> bool:
    """Return whether a pod's job has ended."""
    return "terminated" in main_state(pod)


def has_begun(pod: Object) -> bool:
    """Return whether a pod's job runs or has ended, so that there is a log."""
    state = main_state(pod)
    return "running" in state or "terminated" in state


def main_state(pod: Object) -> Object:
    """Return the state of a job's own container, empty before it exists."""
    for container in pod["status"].get("containerStatuses", ()):
        if container["name"] == "main":
            state: Object = container.get("state", {})
            return state
    return {}
