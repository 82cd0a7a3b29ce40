"""Log of one pod: separates the job's lines from those of Argo's executor, across reconnects."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from riseml import labels
from riseml.cluster.api import Object
from riseml.status import document as doc

_EXECUTOR = re.compile(rb"time=\S+ level=\w+ msg=.*argo=true")
# The length of `2018-01-31T10:20:30.123`
_MILLISECOND = 23
_EXIT = re.compile(rb"Error: exit status \d+\s*$")


class Lines(NamedTuple):
    """Lines of a job, and when they were written if that is known."""

    data: bytes
    time: datetime | None = None


@dataclass
class PodLog:
    """What was read of a pod's log, and the line that has no end yet.

    `tail` limits the job's lines, which are then collected until the log ends. If it
    `is_timed`, Kubernetes writes a time before each line.
    """

    job: str
    pod: str
    tail: int | None = None
    attempt: int = 0
    is_timed: bool = False
    is_open: bool = True
    # The job's bytes of this connection that were read.
    position: int = 0
    # The job's bytes that an earlier connection delivered.
    skip: int = 0
    partial_line: bytes = b""
    last_lines: list[Lines] = field(default_factory=list)
    received_at: float = field(default_factory=time.monotonic)
    broken_at: float | None = None
    # The executor has written that the job has ended.
    has_job_ended: bool = False

    @property
    def delivered(self) -> int:
        """The number of the job's bytes that were delivered over all connections."""
        return self.position + self.skip

    def restart(self) -> None:
        """Prepare for reading the log from its start, without what was delivered."""
        self.skip = self.delivered
        self.position, self.partial_line = 0, b""
        self.has_job_ended, self.broken_at = False, None
        self.last_lines.clear()

    def lines(self, data: bytes) -> list[Lines]:
        """Add what was read; return the complete lines of the job that are new."""
        self.received_at = time.monotonic()
        start, end, self.partial_line = (self.partial_line + data).rpartition(b"\n")
        complete = start + end
        if self.is_timed:
            return self._timed(complete)
        # Most data has no line of the executor, and is not split into lines.
        if b"argo=true" in complete or self.has_job_ended:
            lines = complete.splitlines(keepends=True)
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
        if not self.is_timed:
            return Lines(self._new(line))
        stamp, _, text = line.partition(b" ")
        return Lines(self._new(text), _time(stamp))

    def collect(self, lines: Iterable[Lines]) -> None:
        """Keep the last `tail` lines until the log ends."""
        for data, written in lines:
            for line in data.splitlines(keepends=True):
                self.last_lines.append(Lines(line, written))
        surplus = len(self.last_lines) - (self.tail or 0)
        del self.last_lines[: max(0, surplus)]

    def _new(self, data: bytes) -> bytes:
        new = data[self.skip :]
        self.skip -= len(data) - len(new)
        self.position += len(data)
        return new

    def _is_from_job(self, line: bytes) -> bool:
        if _EXECUTOR.match(line):
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
