"""File that Kubernetes serves as the log of a pod's job: the newest one, and how it begins.

The kubelet replaces the file of a container when it is long (`containerLogMaxSize`,
10 MiB by default), and serves only the newest one. A connection that follows a log may
lose lines when that happens. The time of the first line identifies a file.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from riseml.cluster.api import Api, path

_READ_BYTES = 1 << 16
# Kubernetes ends the connection earlier, when the container's log ends.
_READ_SECONDS = 86_400
# A time, and what identifies a line of the executor.
_FIRST_LINE_BYTES = 400
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*(Z|[-+]\d\d:\d\d)")
# What Argo's executor writes before it starts the job.
_STARTS = (b'msg="waiting for signals"', b'msg="capturing logs"')


class FirstLine(NamedTuple):
    """The time of a file's first line as Kubernetes writes it, and the line's beginning.

    Both are empty for an empty file.
    """

    stamp: str
    text: bytes

    @property
    def is_first_of_log(self) -> bool:
        """Whether the file has the log from its start."""
        return is_start(self.text)

    @property
    def written(self) -> datetime:
        """When the line was written; the file must not be empty."""
        return datetime.fromisoformat(self.stamp)


def is_start(line: bytes) -> bool:
    """Return whether Argo's executor wrote this line before it started the job."""
    return b"argo=true" in line and any(start in line for start in _STARTS)


class PodFile:
    """The newest file of the log of a pod's job."""

    def __init__(self, api: Api, namespace: str, pod: str) -> None:
        self._api = api
        self._path = f"{path('pods', namespace, pod)}/log"

    def stream(self, **options: Any) -> Iterator[bytes]:
        """Yield the file in pieces; the options are those of Kubernetes.

        Raises:
            NotFoundError: the pod is gone.
            UnreachableError: the cluster does not answer.
        """
        response = self._api.open(
            self._path, timeout=_READ_SECONDS, container="main", **options
        )
        yield from filter(None, response.stream(_READ_BYTES))

    def first_line(self) -> FirstLine:
        """Return the beginning of the first line."""
        line = self.head(_FIRST_LINE_BYTES, timestamps="true").partition(b"\n")[0]
        stamp, _, text = line.partition(b" ")
        if not _STAMP.fullmatch(stamp):
            # The kubelet itself reports an error here.
            return FirstLine("", line)
        return FirstLine(stamp.decode(), text)

    def head(self, length: int, **options: Any) -> bytes:
        """Return at most so many bytes of the file's beginning."""
        return b"".join(self.stream(limitBytes=length, **options))
