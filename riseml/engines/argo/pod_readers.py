"""Readers of pods' logs: a thread per pod puts what it reads into a queue.

The queue also holds the changes of the run, so that lines and changes stay in order.
"""

import time
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

from riseml.cluster.api import Api, Object, path
from riseml.engines import LogQuery
from riseml.engines.argo.pod_log import (
    PodLog,
    attempt_of,
    has_begun,
    has_ended,
    job_key,
)
from riseml.errors import NotFoundError
from riseml.status import SetStatus

# Argo's executor may write this many lines after the job's own.
_EXECUTOR_LINES = 16
_RETRY_SECONDS = 1.0
# No more logs are followed at once; the others are read when their jobs have ended.
_MAX_READERS = 200
_READ_BYTES = 1 << 16
# Kubernetes ends the connection earlier, when the container's log ends.
_READ_SECONDS = 86_400


@dataclass(frozen=True)
class Output:
    """Bytes that were read from a pod's log."""

    log: PodLog
    data: bytes


@dataclass(frozen=True)
class LogEnd:
    """The end of a pod's log; with an error, its connection broke."""

    log: PodLog
    error: Exception | None = None


@dataclass(frozen=True)
class RunChange:
    """The status of the run after a change."""

    run: SetStatus


@dataclass(frozen=True)
class FollowFailure:
    """The run can no longer be followed."""

    error: Exception


Event = Output | LogEnd | RunChange | FollowFailure


class PodReaders:
    """The threads that read pods' logs into a queue."""

    def __init__(
        self, api: Api, namespace: str, query: LogQuery, events: SimpleQueue[Event]
    ) -> None:
        self._api, self._namespace, self._query = api, namespace, query
        self._events = events
        self.logs: dict[str, PodLog] = {}

    @property
    def is_reading(self) -> bool:
        """Whether a log has not ended."""
        return bool(self._open_jobs())

    def _open_jobs(self) -> set[str]:
        """Return the ids of the jobs with a log that has not ended."""
        return {log.job for log in self.logs.values() if log.is_open}

    def reads_below(self, id: str) -> bool:  # noqa: A002
        """Return whether a log of a job, or of a job below an experiment, is open."""
        prefix = f"{id}."
        return any(f"{job}.".startswith(prefix) for job in self._open_jobs())

    def open(
        self, ids: dict[tuple[str, str, str], str], pods: list[Object]
    ) -> list[str]:
        """Start reading the logs of pods that have begun; return the ids of their jobs."""
        opened = []
        open_jobs = self._open_jobs()
        for pod in sorted(pods, key=_created):
            job = ids.get(job_key(pod))
            # The attempts of a job are read one after the other.
            if job is None or job in open_jobs or not self._is_new(pod):
                continue
            if len(open_jobs) >= _MAX_READERS:
                break
            name = pod["metadata"]["name"]
            log = PodLog(
                job,
                name,
                self._query.tail if has_ended(pod) else None,
                attempt=attempt_of(pod),
                is_timed=self._query.times,
            )
            self.logs[name] = log
            open_jobs.add(job)
            opened.append(job)
            self._start(log)
        return opened

    def _is_new(self, pod: Object) -> bool:
        return pod["metadata"]["name"] not in self.logs and has_begun(pod)

    def will_retry(self, log: PodLog, error: Exception) -> bool:
        """Return whether a log whose connection broke is read again after a moment.

        It is not if its pod is gone, or if only a section of it was asked for: where
        the section starts would be different now.
        """
        if isinstance(error, NotFoundError) or not self._query.follow:
            return False
        if self._query.tail or self._query.since:
            return False
        log.broken_at = time.monotonic()
        return True

    def retry(self) -> None:
        """Read logs again whose connection broke a moment ago."""
        latest = time.monotonic() - _RETRY_SECONDS
        for log in self.logs.values():
            if log.broken_at is not None and log.broken_at < latest:
                log.restart()
                self._start(log)

    def _start(self, log: PodLog) -> None:
        name = f"riseml-log-{log.pod}"
        Thread(target=self._read, args=(log,), daemon=True, name=name).start()

    def _read(self, log: PodLog) -> None:
        pod_log = f"{path('pods', self._namespace, log.pod)}/log"
        options = self._options(log)
        try:
            response = self._api.open(pod_log, timeout=_READ_SECONDS, **options)
            for data in response.stream(_READ_BYTES, decode_content=True):
                self._events.put(Output(log, data))
        except Exception as error:  # noqa: BLE001
            # An exception would end only this thread: the follower handles it.
            self._events.put(LogEnd(log, error))
        else:
            self._events.put(LogEnd(log))

    def _options(self, log: PodLog) -> dict[str, Any]:
        query = self._query
        options: dict[str, Any] = {
            "container": "main",
            "follow": str(query.follow).lower(),
        }
        if query.tail is not None:
            # The last lines of an ended job's log may be the executor's.
            extra = 0 if log.tail is None else _EXECUTOR_LINES
            options["tailLines"] = query.tail + extra
        if query.since is not None:
            options["sinceTime"] = query.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        if query.times:
            options["timestamps"] = "true"
        return options


def _created(pod: Object) -> str:
    return str(pod["metadata"]["creationTimestamp"])
