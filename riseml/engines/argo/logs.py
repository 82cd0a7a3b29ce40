"""Logs of a run: replays and follows what jobs wrote, and the changes of their states.

    a thread that follows the run ─┐
    a thread per pod ──────────────┴─▶ queue ─▶ lines and changes, in order of arrival

Lines come from the pods while these exist, else from the copies in the output volume
(`log_copy.py`). The copies also supply what a broken connection has not delivered.
"""

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from riseml import labels
from riseml.cluster.api import Api, Object, path
from riseml.engines import Change, Chunk, LogQuery
from riseml.engines.argo import log_copy
from riseml.engines.argo.pod_log import PodLog, has_begun, has_ended, job_key
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import names_of, pod_selector
from riseml.engines.selection import change, experiments, is_meant, parts
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

# Argo's executor may write this many lines after the job's own.
_EXECUTOR_LINES = 16
# A line without an end, such as a prompt or a progress bar, is shown after this time.
_PARTIAL_LINE_SECONDS = 0.3
_CHECK_SECONDS = 1.0
# A pod's log may end this long after its job has.
_DRAIN_SECONDS = 20.0
# No more logs are followed at once; the others are read when their jobs have ended.
_MAX_READERS = 200
_READ_BYTES = 1 << 16
# Kubernetes ends the connection earlier, when the container's log ends.
_READ_SECONDS = 86_400


@dataclass(frozen=True)
class _Output:
    """Bytes that were read from a pod's log."""

    log: PodLog
    data: bytes


@dataclass(frozen=True)
class _LogEnd:
    """The end of a pod's log; with an error, its connection broke."""

    log: PodLog
    error: Exception | None = None


@dataclass(frozen=True)
class _RunChange:
    """The status of the run after a change."""

    run: SetStatus


@dataclass(frozen=True)
class _Failure:
    """The run can no longer be followed."""

    error: Exception


_Events = SimpleQueue[_Output | _LogEnd | _RunChange | _Failure]


def follow(reader: RunReader, query: LogQuery) -> Iterator[Chunk | Change]:
    """Yield the lines and changes of a run, of one of its experiments, or of a job.

    Raises:
        NotFoundError: the run has no part with this id.
    """
    run = reader.read(query.id)
    if not any(parts(run, query.id)):
        raise NotFoundError(
            f"could not find {query.id}",
            f"`riseml status {query.id.number}` lists all experiments and jobs.",
        )
    yield from _Follower(reader, query, run).events()


class _PodReaders:
    """The threads that read pods' logs into a queue."""

    def __init__(
        self, api: Api, namespace: str, query: LogQuery, events: _Events
    ) -> None:
        self._api, self._namespace, self._query = api, namespace, query
        self._events = events
        self.logs: dict[str, PodLog] = {}

    @property
    def is_reading(self) -> bool:
        """Whether a log has not ended."""
        return any(log.is_open for log in self.logs.values())

    def reads_below(self, id: str) -> bool:  # noqa: A002
        """Return whether a log of a job, or of a job below an experiment, is open."""
        prefix = f"{id}."
        return any(
            log.is_open and f"{log.job}.".startswith(prefix)
            for log in self.logs.values()
        )

    def open(
        self, jobs: dict[tuple[str, str, str], str], pods: list[Object]
    ) -> list[str]:
        """Start reading the logs of pods that have begun; return the ids of their jobs."""
        opened = []
        busy_jobs = {log.job for log in self.logs.values() if log.is_open}
        for pod in sorted(pods, key=_created):
            name, job = pod["metadata"]["name"], jobs.get(job_key(pod))
            if job is None or name in self.logs or not has_begun(pod):
                continue
            # The attempts of a job are read one after the other.
            if len(busy_jobs) >= _MAX_READERS or job in busy_jobs:
                continue
            log = PodLog(job, name, self._query.tail if has_ended(pod) else None)
            self.logs[name] = log
            busy_jobs.add(job)
            opened.append(job)
            self._start(log)
        return opened

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
        for log in self.logs.values():
            if log.broken_at is None:
                continue
            if time.monotonic() - log.broken_at > _CHECK_SECONDS:
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
                self._events.put(_Output(log, data))
        except Exception as error:  # noqa: BLE001
            # An exception would end only this thread: the follower handles it.
            self._events.put(_LogEnd(log, error))
        else:
            self._events.put(_LogEnd(log))

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
        return options


class _Follower:
    """The lines and changes of one run, in order of arrival."""

    def __init__(self, reader: RunReader, query: LogQuery, run: SetStatus) -> None:
        self._reader, self._query, self._run = reader, query, run
        self._api = reader.workflows.api
        self._namespace = reader.workflows.namespace_of(query.id)
        self._events: _Events = SimpleQueue()
        self._readers = _PodReaders(self._api, self._namespace, query, self._events)
        self._secrets = _secret_values(self._api, reader.workflows.namespace)
        # Jobs whose log is delivered, from a pod or from a copy.
        self._delivered: set[str] = set()
        self._states: dict[str, State] = {}
        self._pods: list[Object] = []
        self._checked_at = time.monotonic()

    def events(self) -> Iterator[Chunk | Change]:
        """Yield lines and changes until everything that was asked for has ended."""
        if self._query.follow and not self._has_ended():
            Thread(target=self._follow_run, daemon=True, name="riseml-run").start()
        yield from self._check_pods()
        self._checked_at = time.monotonic()
        deadline = self._checked_at + _DRAIN_SECONDS
        while True:
            is_over = not self._query.follow or self._has_ended()
            if not is_over:
                deadline = time.monotonic() + _DRAIN_SECONDS
            elif not self._readers.is_reading or time.monotonic() > deadline:
                yield from self._changes()
                return
            try:
                event = self._events.get(timeout=_PARTIAL_LINE_SECONDS)
            except Empty:
                yield from self._idle(is_over=is_over)
                continue
            if isinstance(event, _Output):
                yield from self._lines(event.log, event.data)
            elif isinstance(event, _RunChange):
                self._run, self._checked_at = event.run, time.monotonic()
                yield from self._check_pods()
            elif isinstance(event, _LogEnd):
                yield from self._log_end(event, is_over=is_over)
            else:
                raise event.error

    def _follow_run(self) -> None:
        try:
            for run in self._reader.follow(self._query.id):
                self._events.put(_RunChange(run))
                if _is_over(run, self._query.id):
                    return
        except Exception as error:  # noqa: BLE001
            # An exception would end only this thread: `events` raises it.
            self._events.put(_Failure(error))

    def _has_ended(self) -> bool:
        return _is_over(self._run, self._query.id)

    def _idle(self, *, is_over: bool) -> Iterator[Chunk | Change]:
        """Do what is due if nothing arrives for a moment."""
        yield from self._partial_lines()
        self._readers.retry()
        if not is_over and time.monotonic() - self._checked_at > _CHECK_SECONDS:
            self._checked_at = time.monotonic()
            yield from self._check_pods()

    def _check_pods(self) -> Iterator[Chunk | Change]:
        """Yield changes, after reading which pods there are now."""
        pods = self._list_pods()
        # The last known pods may still have logs if none can be listed.
        self._pods = pods or self._pods
        yield from self._changes()

    def _list_pods(self) -> list[Object]:
        if not self._run.name:
            return []
        selector = pod_selector(names_of(self._run))
        sub = self._query.id.sub
        if sub is not None and self._run.is_set:
            selector += f",{labels.EXPERIMENT}={sub}"
        pods = path("pods", self._namespace)
        try:
            return list(self._api.items(pods, labelSelector=selector))
        except RiseMLError:
            return []

    def _changes(self) -> Iterator[Chunk | Change]:
        """Yield changes of states; that of an ended job follows its last line."""
        jobs = {key: job.id for key, job in _jobs(self._run, self._query.id)}
        self._delivered.update(self._readers.open(jobs, self._pods))
        for status in parts(self._run, self._query.id):
            if self._states.get(status.id) == status.state:
                continue
            if status.state.is_terminal:
                if self._readers.reads_below(status.id):
                    continue
                if isinstance(status, JobStatus) and status.id not in self._delivered:
                    yield from self._copy(status)
            self._states[status.id] = status.state
            if status.state is not State.CREATED:
                yield change(status)

    def _lines(self, log: PodLog, data: bytes) -> Iterator[Chunk]:
        """Yield the lines that are complete with what a pod wrote."""
        lines = log.lines(data)
        if log.tail is not None:
            log.collect(lines)
        elif lines:
            yield Chunk(log.job, self._mask(lines))

    def _partial_lines(self) -> Iterator[Chunk]:
        """Yield lines that have had no end for a while."""
        for log in self._readers.logs.values():
            age = time.monotonic() - log.received_at
            if log.partial_line and age > _PARTIAL_LINE_SECONDS:
                line = log.unfinished()
                if line:
                    yield Chunk(log.job, self._mask(line), partial=True)

    def _log_end(self, end: _LogEnd, *, is_over: bool) -> Iterator[Chunk | Change]:
        """Yield the rest of a pod's log, and what its end makes known."""
        log = end.log
        if end.error and not is_over and self._readers.will_retry(log, end.error):
            return
        log.is_open = False
        if log.last_lines:
            yield Chunk(log.job, self._mask(b"".join(log.last_lines)))
        line = log.unfinished()
        if line:
            yield Chunk(log.job, self._mask(line))
        # Positions in the copy and in the section of a tail do not correspond.
        if end.error and (self._query.tail is None or not log.delivered):
            job = self._job(log.job)
            if job is not None:
                yield from self._copy(job, log.delivered)
        yield from self._changes()

    def _job(self, id: str) -> JobStatus | None:  # noqa: A002
        for _, job in _jobs(self._run, self._query.id):
            if job.id == id:
                return job
        return None

    def _copy(self, job: JobStatus, start: int = 0) -> Iterator[Chunk]:
        """Yield what the output volume has of a job's log."""
        self._delivered.add(job.id)
        store = self._reader.store_of(self._query.id)
        data = log_copy.read(store, self._run, job, self._query, start)
        if data:
            yield Chunk(job.id, self._mask(data), source="copy")

    def _mask(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, b"***")
        return data


def _secret_values(api: Api, namespace: str) -> list[bytes]:
    """Return the values of the user's secrets that must not appear, longest first.

    A secret may contain another one, whose masking would leave the remainder visible.
    """
    secret = api.find(path("secrets", namespace, "riseml-secrets")) or {}
    values = map(base64.b64decode, (secret.get("data") or {}).values())
    return sorted(filter(None, values), key=len, reverse=True)


def _is_over(run: SetStatus, selected: Id) -> bool:
    """Return whether what was asked for has ended; a TensorBoard is not waited for."""
    if selected.type is not None:
        have_ended = all(job.state.is_terminal for job in parts(run, selected))
        return have_ended or run.state.is_terminal
    if selected.sub is not None:
        return all(
            experiment.state.is_terminal for experiment in experiments(run, selected)
        )
    return run.state.is_terminal


def _jobs(
    run: SetStatus, selected: Id
) -> Iterator[tuple[tuple[str, str, str], JobStatus]]:
    """Yield the jobs that are asked for, each after what its pod's labels say."""
    if selected.sub is None or not run.is_set:
        for job in run.jobs:
            if is_meant(job, selected):
                yield ("", job.type, ""), job
    for experiment in experiments(run, selected):
        for job in experiment.jobs:
            if is_meant(job, selected):
                yield (_label_of(experiment), job.type, str(job.index or "")), job


def _label_of(experiment: ExperimentStatus) -> str:
    return str(experiment.sub or 1)


def _created(pod: Object) -> str:
    return str(pod["metadata"]["creationTimestamp"])
