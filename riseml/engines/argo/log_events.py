"""Events of the threads that read the logs of a run, in the order in which they arrive."""

from datetime import datetime
from typing import NamedTuple

from riseml.dataclass import dataclass
from riseml.engines.argo.pod_file import FirstLine
from riseml.engines.argo.pod_log import PodLog
from riseml.status import SetStatus


class Continuation(NamedTuple):
    """Where reading goes on in a pod's file.

    `start` is the position of the file in the copy of the log, and `stamp` the time of its
    first line. Its first `lines` lines, and `rest` bytes of the next one, were read from
    the copy.
    """

    start: int
    stamp: str
    lines: int
    rest: int


@dataclass(frozen=True)
class Output:
    """Bytes that were read from a pod's log, or from its copy, with their time if known."""

    log: PodLog
    data: bytes
    generation: int = 0
    is_copy: bool = False
    time: datetime | None = None


@dataclass(frozen=True)
class LogEnd:
    """The end of a pod's log; with an error, its connection broke."""

    log: PodLog
    error: Exception | None = None
    generation: int = 0


@dataclass(frozen=True)
class FileCheck:
    """How a pod's file begins now; None if it cannot be read.

    It was asked when `pieces` of what is held had been read.
    """

    log: PodLog
    generation: int
    pieces: int
    first_line: FirstLine | None


@dataclass(frozen=True)
class Switch:
    """The copy of a log is read from now on, or the pod's file with a continuation."""

    log: PodLog
    generation: int
    continuation: Continuation | None = None


@dataclass(frozen=True)
class RunChange:
    """The status of the run after a change."""

    run: SetStatus


@dataclass(frozen=True)
class FollowFailure:
    """The run can no longer be followed."""

    error: Exception


Event = Output | LogEnd | FileCheck | Switch | RunChange | FollowFailure
