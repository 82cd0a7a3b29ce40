"""Logs of a run: replays and follows what jobs wrote, and the changes of their states.

    a thread that follows the run ─┐
    a thread per pod ──────────────┴─▶ queue ─▶ lines and changes, in order of arrival

Lines come from the pods while these exist, else from the copies in the output volume
(`log_copy.py`). The copies also supply what a broken connection has not delivered.
"""

import base64
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Thread

from riseml import labels, masking
from riseml.cluster.api import Api, Object, data_of, path
from riseml.cluster.store_shell import StoreShell
from riseml.dataclass import replace
from riseml.engines import Change, Chunk, LogQuery, log_index
from riseml.engines.argo import log_copy
from riseml.engines.argo.attempt_copy import AttemptCopy
from riseml.engines.argo.file_checks import FileChecks
from riseml.engines.argo.log_copy import Copy
from riseml.engines.argo.log_events import (
    Event,
    FileCheck,
    FollowFailure,
    LogEnd,
    Output,
    RunChange,
    Switch,
)
from riseml.engines.argo.pod_log import Lines, PodLog, attempt_of, job_key
from riseml.engines.argo.pod_readers import PodReaders
from riseml.engines.argo.run_reader import RunReader
from riseml.engines.argo.workflows import names_of, pod_selector
from riseml.engines.selection import change, experiments, jobs, parts
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.masking import Masker
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

# A line without an end, such as a prompt or a progress bar, is shown after this time.
_PARTIAL_LINE_SECONDS = 0.3
_CHECK_SECONDS = 1.0
# A pod's log may end this long after its job has.
_DRAIN_SECONDS = 20.0
# The log of an ended job is not read any more after so many broken connections.
_MAX_FAILURES = 3


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
    follower = _Follower(reader, query, run)
    try:
        yield from follower.events()
    finally:
        follower.close()


class _Follower:
    """The lines and changes of one run, in order of arrival."""

    def __init__(self, reader: RunReader, query: LogQuery, run: SetStatus) -> None:
        self._reader, self._query, self._run = reader, query, run
        self._api = reader.workflows.api
        self._namespace = reader.workflows.namespace_of(query.id)
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._readers = PodReaders(
            self._api, self._namespace, query, self._events, self._copy_of
        )
        self._checks = FileChecks(self._api, self._namespace, self._events)
        self._hidden_texts = _hidden_texts(self._api, reader.workflows.namespace)
        self._maskers: dict[str, Masker] = {}
        # Jobs whose log is delivered, from a pod or from a copy.
        self._delivered: set[str] = set()
        self._states: dict[str, State] = {}
        self._is_closed = False
        self._pods: list[Object] = []
        self._checked_at = time.monotonic()
        self._deadline = self._checked_at + _DRAIN_SECONDS

    def events(self) -> Iterator[Chunk | Change]:
        """Yield lines and changes until everything that was asked for has ended."""
        if not self._is_over:
            Thread(target=self._follow_run, daemon=True, name="riseml-run").start()
        yield from self._check_pods()
        self._checked_at = time.monotonic()
        while not self._is_delivered():
            try:
                event = self._events.get(timeout=_PARTIAL_LINE_SECONDS)
            except Empty:
                yield from self._idle()
            else:
                yield from self._handle(event)
        yield from self._changes()

    def close(self) -> None:
        """End the threads, although logs may not have ended."""
        self._is_closed = True
        self._readers.close()
        self._checks.close()

    def _is_delivered(self) -> bool:
        """Return whether everything has ended and was read, or cannot be read in time."""
        now = time.monotonic()
        if not self._is_over:
            self._deadline = now + _DRAIN_SECONDS
            return False
        return now > self._deadline or not self._readers.is_reading

    def _handle(self, event: Event) -> Iterator[Chunk | Change]:
        if isinstance(event, RunChange):
            self._run, self._checked_at = event.run, time.monotonic()
            if self._is_over:
                self._readers.mark_all_complete()
            yield from self._check_pods()
        elif isinstance(event, FollowFailure):
            raise event.error
        elif isinstance(event, FileCheck):
            self._checks.has_arrived(event)
        if isinstance(event, Output | LogEnd | FileCheck | Switch):
            # Bytes still arrive, however long that takes.
            self._deadline = time.monotonic() + _DRAIN_SECONDS
            if event.generation == event.log.generation:
                yield from self._handle_log(event)

    def _handle_log(
        self, event: Output | LogEnd | FileCheck | Switch
    ) -> Iterator[Chunk | Change]:
        if isinstance(event, Output):
            yield from self._output(event)
        elif isinstance(event, LogEnd):
            yield from self._log_end(event)
        elif isinstance(event, FileCheck):
            yield from self._file_check(event)
        elif event.continuation is None:
            self._readers.read_copy(event.log)
        else:
            self._readers.read_pod(event.log, event.continuation)

    def _follow_run(self) -> None:
        try:
            for run in self._reader.follow(self._query.id):
                self._events.put(RunChange(run))
                if self._is_closed or _is_over(run, self._query.id):
                    return
        except Exception as error:  # noqa: BLE001
            # An exception would end only this thread: `events` raises it.
            self._events.put(FollowFailure(error))

    @property
    def _is_over(self) -> bool:
        """Whether nothing more will be written, or nothing more was asked for."""
        return not self._query.follow or _is_over(self._run, self._query.id)

    def _idle(self) -> Iterator[Chunk | Change]:
        """Do what is due if nothing arrives for a moment."""
        yield from self._partial_lines()
        for log in self._readers.logs.values():
            self._check_file(log)
        now = time.monotonic()
        if not self._is_over and now - self._checked_at > _CHECK_SECONDS:
            self._checked_at = now
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
        ids = {}
        for experiment, job in jobs(self._run, self._query.id):
            ids[_label_values(experiment, job)] = job.id
        yield from self._attempts_without_pods(ids)
        self._delivered.update(self._readers.open(ids, self._pods))
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

    def _attempts_without_pods(
        self, ids: Mapping[tuple[str, str, str], str]
    ) -> Iterator[Chunk]:
        """Yield the logs of attempts that are older than the first pod of their job.

        Pods are gone with the Workflow that made them.
        """
        first_attempts: dict[str, int] = {}
        for pod in self._pods:
            job = ids.get(job_key(pod))
            if job is not None and job not in self._delivered:
                attempt = attempt_of(pod)
                first_attempts[job] = min(attempt, first_attempts.get(job, attempt))
        for _, status in jobs(self._run, self._query.id):
            first = first_attempts.get(status.id, 0)
            if first:
                yield from self._copy(status, stop=first)

    def _output(self, output: Output) -> Iterator[Chunk]:
        log, data = output.log, output.data
        if output.is_copy:
            yield from self._new_lines(log, log.copied(data, output.time))
        elif self._query.follow and log.may_be_replaced:
            log.held.append(data)
            self._check_file(log)
        else:
            log.count(data)
            yield from self._new_lines(log, log.lines(data))

    def _new_lines(self, log: PodLog, lines: list[Lines]) -> Iterator[Chunk]:
        if log.tail is not None:
            log.collect(lines)
        else:
            yield from self._chunks(log, lines)

    def _check_file(self, log: PodLog) -> None:
        """Ask whether a pod's file is still the one that is being read."""
        is_read = log.is_open and not log.reads_copy and self._query.follow
        if is_read and log.may_be_replaced:
            self._checks.request(log)

    def _file_check(self, check: FileCheck) -> Iterator[Chunk | Change]:
        """Yield what was held, or read the copy if the pod's file was replaced."""
        log = check.log
        if check.first_line is None:
            if log.is_complete.is_set():
                self._readers.read_copy(log)
        elif log.is_file(check.first_line):
            data = b"".join(log.held[: check.pieces])
            del log.held[: check.pieces]
            yield from self._new_lines(log, log.lines(data))
            if log.is_read and not log.held:
                yield from self._close(log)
        else:
            self._readers.read_copy(log)

    def _partial_lines(self) -> Iterator[Chunk]:
        """Yield lines that have had no end for a while."""
        if self._query.times:
            # A line has one time.
            return
        for log in self._readers.logs.values():
            age = time.monotonic() - log.received_at
            if age > _PARTIAL_LINE_SECONDS:
                yield from self._chunks(log, [log.unfinished()], partial=True)

    def _log_end(self, end: LogEnd) -> Iterator[Chunk | Change]:
        """Yield the rest of a log, unless its copy may have more."""
        log = end.log
        if end.error:
            log.failures += 1
        has_failed = log.is_complete.is_set() and log.failures > _MAX_FAILURES
        if log.reads_copy or has_failed:
            yield from self._close(log)
        elif end.error:
            # The connection broke, or the pod is gone.
            self._readers.read_copy(log)
        elif self._query.follow and log.may_be_replaced:
            log.is_read = True
            self._check_file(log)
        else:
            yield from self._close(log)

    def _close(self, log: PodLog) -> Iterator[Chunk | Change]:
        """Yield the last lines of a log, and what its end makes known."""
        log.is_open = False
        last_lines = log.last_lines
        if not self._query.times:
            last_lines = [Lines(b"".join(line.data for line in last_lines))]
        yield from self._chunks(log, last_lines)
        yield from self._chunks(log, [log.unfinished()])
        yield from self._changes()

    def _copy_of(self, log: PodLog) -> AttemptCopy:
        """Return the copy of a pod's log."""
        shell = StoreShell(self._reader.store_of(self._query.id))
        for _, job in jobs(self._run, self._query.id):
            if job.id == log.job:
                return AttemptCopy(shell, log_copy.path(self._run, job, log.attempt))
        raise AssertionError(log.job)

    def _copy(self, job: JobStatus, stop: int | None = None) -> Iterator[Chunk]:
        """Yield what the output volume has of a job's log, of attempts before one."""
        self._delivered.add(job.id)
        store = self._reader.store_of(self._query.id)
        query = self._query
        if not query.times:
            sample = Chunk(job.id, b"", source="copy", attempt=job.attempt)
            for data in log_copy.read(store, self._run, job, query, stop=stop):
                yield from self._masked(sample, [Lines(data)])
            return
        for copy in log_copy.read_with_times(store, self._run, job, query, stop=stop):
            sample = Chunk(job.id, b"", source="copy", attempt=copy.attempt)
            yield from self._masked(sample, _timed(copy))

    def _chunks(
        self, log: PodLog, lines: Iterable[Lines], *, partial: bool = False
    ) -> Iterator[Chunk]:
        source = "copy" if log.reads_copy else "live"
        sample = Chunk(
            log.job, b"", partial=partial, source=source, attempt=log.attempt
        )
        yield from self._masked(sample, lines)

    def _masked(self, sample: Chunk, lines: Iterable[Lines]) -> Iterator[Chunk]:
        """Yield lines without the user's secrets, in chunks like the sample."""
        masker = self._maskers.setdefault(sample.job, Masker(self._hidden_texts))
        masked = [Lines(masker.feed(data), written) for data, written in lines]
        if masked:
            # What looked like the beginning of a secret was held back.
            data, written = masked[-1]
            masked[-1] = Lines(data + masker.flush(), written)
        for data, written in masked:
            if data:
                yield replace(sample, data=data, time=written)


def _timed(copy: Copy) -> Iterator[Lines]:
    """Yield the lines of a copy with their times."""
    # Without an index, nothing is known about their times.
    if not copy.times:
        yield Lines(copy.data)
        return
    latest, _ = copy.times[-1]
    for seconds, data in log_index.timed(copy.data, copy.start, copy.times, latest):
        yield Lines(data, datetime.fromtimestamp(seconds, UTC))


def _hidden_texts(api: Api, namespace: str) -> tuple[bytes, ...]:
    """Return what must not appear of the user's secrets."""
    data = data_of(api, path("secrets", namespace, "riseml-secrets"))
    return masking.forms(map(base64.b64decode, data.values()))


def _is_over(run: SetStatus, selected: Id) -> bool:
    """Return whether what was asked for has ended; a TensorBoard is not waited for."""
    if selected.type is not None:
        return run.state.is_terminal or _have_ended(parts(run, selected))
    if selected.sub is not None:
        return _have_ended(experiments(run, selected))
    return run.state.is_terminal


def _have_ended(statuses: Iterable[SetStatus | ExperimentStatus | JobStatus]) -> bool:
    return all(status.state.is_terminal for status in statuses)


def _label_values(
    experiment: ExperimentStatus | None, job: JobStatus
) -> tuple[str, str, str]:
    """Return what the labels of a job's pod say: experiment, type and index."""
    if experiment is None:
        return ("", job.type, "")
    return (str(experiment.number), job.type, str(job.index or ""))
