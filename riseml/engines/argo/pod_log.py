"""Log of one pod: separates the job's lines from those of Argo's executor, across reconnects."""

import re
import time
from dataclasses import dataclass, field

from riseml import labels
from riseml.cluster.api import Object

_EXECUTOR = re.compile(rb"time=\S+ level=\w+ msg=.*argo=true")
_EXIT = re.compile(rb"Error: exit status \d+\s*$")


@dataclass
class PodLog:
    """What was read of a pod's log, and the line that has no end yet.

    `tail` limits the job's lines, which are then collected until the log ends.
    """

    job: str
    pod: str
    tail: int | None = None
    is_open: bool = True
    # The job's bytes of this connection that were read.
    position: int = 0
    # The job's bytes that an earlier connection delivered.
    skip: int = 0
    partial_line: bytes = b""
    last_lines: list[bytes] = field(default_factory=list)
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

    def lines(self, data: bytes) -> bytes:
        """Add what was read; return the complete lines of the job that are new."""
        self.received_at = time.monotonic()
        start, end, self.partial_line = (self.partial_line + data).rpartition(b"\n")
        complete = start + end
        # Most data has no line of the executor, and is not split into lines.
        if b"argo=true" in complete or self.has_job_ended:
            lines = complete.splitlines(keepends=True)
            complete = b"".join(line for line in lines if self._is_from_job(line))
        return self._new(complete)

    def unfinished(self) -> bytes:
        """Return the line that has no end yet, as far as it was read."""
        line, self.partial_line = self.partial_line, b""
        return self._new(line)

    def collect(self, lines: bytes) -> None:
        """Keep the last `tail` lines until the log ends."""
        self.last_lines += lines.splitlines(keepends=True)
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
    variables = {}
    for container in pod.get("spec", {}).get("containers", ()):
        if container["name"] == "main":
            for entry in container.get("env", ()):
                variables[entry["name"]] = entry.get("value", "")
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
