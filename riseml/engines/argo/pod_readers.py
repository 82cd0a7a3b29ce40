"""Readers of pods' logs: a thread per pod puts what it reads into a queue.

The queue also holds the changes of the run, so that lines and changes stay in order.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from riseml.cluster.api import Api, Object
from riseml.engines import LogQuery
from riseml.engines.argo.attempt_copy import AttemptCopy
from riseml.engines.argo.log_events import Continuation, Event
from riseml.engines.argo.log_reader import LogReader
from riseml.engines.argo.pod_file import PodFile
from riseml.engines.argo.pod_log import (
    PodLog,
    attempt_of,
    has_begun,
    has_ended,
    job_key,
)

# No more logs are followed at once; the others are read when their jobs have ended.
_MAX_READERS = 200


class PodReaders:
    """The threads that read logs into a queue; `copy_of` returns the copy of a log."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        query: LogQuery,
        events: SimpleQueue[Event],
        copy_of: Callable[[PodLog], AttemptCopy],
    ) -> None:
        self._api, self._namespace, self._query = api, namespace, query
        self._events, self._copy_of = events, copy_of
        # By the names and uids of their pods.
        self.logs: dict[tuple[str, str], PodLog] = {}

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
        self._mark_complete(pods)
        for pod in sorted(pods, key=_created):
            job = ids.get(job_key(pod))
            # The attempts of a job are read one after the other.
            if job is None or job in open_jobs or not self._is_new(pod):
                continue
            if len(open_jobs) >= _MAX_READERS:
                break
            log = self._new_log(job, pod)
            self.logs[_key(pod)] = log
            open_jobs.add(job)
            opened.append(job)
            self._start(log, LogReader.read)
        return opened

    def _new_log(self, job: str, pod: Object) -> PodLog:
        query = self._query
        is_section = query.tail is not None or query.since is not None
        log = PodLog(
            job,
            pod["metadata"]["name"],
            query.tail if has_ended(pod) or not query.follow else None,
            attempt=attempt_of(pod),
            is_timed=query.times,
            start=None if is_section or self._is_anew(job, pod) else 0,
        )
        if has_ended(pod):
            log.is_complete.set()
        return log

    def _is_anew(self, job: str, pod: Object) -> bool:
        """Return whether another pod has written to the copy of the same attempt."""
        attempt = (job, attempt_of(pod))
        return any((log.job, log.attempt) == attempt for log in self.logs.values())

    def _mark_complete(self, pods: list[Object]) -> None:
        """Note which jobs have ended: their pods say so, or are gone."""
        running = set()
        for pod in pods:
            if not has_ended(pod):
                running.add(_key(pod))
        for key in self.logs.keys() - running:
            self.logs[key].is_complete.set()

    def close(self) -> None:
        """Let the threads end that read copies; the others end with their pods."""
        for log in self.logs.values():
            log.generation += 1
        self.mark_all_complete()

    def mark_all_complete(self) -> None:
        """Note that all jobs have ended."""
        for log in self.logs.values():
            log.is_complete.set()

    def _is_new(self, pod: Object) -> bool:
        return _key(pod) not in self.logs and has_begun(pod)

    def read_copy(self, log: PodLog) -> None:
        """Read on in the copy of a log, from what was delivered."""
        log.leave_file()
        self._start(log, LogReader.read_copy)

    def read_pod(self, log: PodLog, continuation: Continuation) -> None:
        """Read on in a pod's file."""
        log.continue_at(*continuation)
        self._start(log, LogReader.read_on)

    def _start(self, log: PodLog, read: Callable[[LogReader], None]) -> None:
        file = PodFile(self._api, self._namespace, log.pod)
        reader = LogReader(log, file, self._copy_of(log), self._query, self._events)
        name = f"riseml-log-{log.pod}"
        Thread(target=read, args=(reader,), daemon=True, name=name).start()


def _key(pod: Object) -> tuple[str, str]:
    """Return what identifies a pod: one that was deleted may come back with its name."""
    metadata = pod["metadata"]
    return metadata["name"], metadata.get("uid", "")


def _created(pod: Object) -> str:
    return str(pod["metadata"]["creationTimestamp"])
