"""Replay and follow what jobs wrote: from their pods while these are there, else from the copies in the output volume.

    looks at the run ─┐
    a thread per pod ─┴─▶ queue ─▶ lines and changes, in the order in which they came

A job whose pod is gone, or cannot be asked, has left `<job>.<attempt>.log` in its output folder; what a broken
connection has not told comes from there, too.
"""

import base64
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from riseml import labels
from riseml.cluster.api import Object, path
from riseml.engines import Change, Chunk, LogQuery
from riseml.engines.argo import live_results
from riseml.engines.selection import change, experiments, is_meant, parts
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

if TYPE_CHECKING:
    from riseml.engines.argo.engine import ArgoEngine

_EXECUTOR = re.compile(rb"time=\S+ level=\w+ msg=.*argo=true")
_EXIT = re.compile(rb"Error: exit status \d+\s*$")
# Lines of Argo's executor that may follow a job's own
_EXTRA = 16
# Seconds after which a line without its end is shown: a prompt, or a progress bar
_PATIENCE = 0.3
# Seconds between looks for new pods
_GLANCE = 1.0
# Seconds that a pod's log may take to end after its job has
_DRAIN = 20.0
# Pods that are followed at once; the logs of others are told when they have ended
_READERS = 200
# Tells the copies `$1/.riseml/logs/$2.<attempt>.log`: from byte $3 on, the last $4 lines, not older than $5.
_COPY = r"""
cd /output
for file in "$1/.riseml/logs/$2".[0-9]*.log; do
  [ -f "$file" ] || continue
  from=$3
  if [ -n "$5" ] && [ -f "$file.times" ]; then
    old=$(while read -r at length; do [ "${at%.*}" -ge "$5" ] || echo "$length"; done < "$file.times" | tail -n 1)
    [ "${old:-0}" -le "$from" ] || from=$old
  fi
  if [ -n "$4" ]; then tail -c "+$((from + 1))" "$file" | tail -n "$4"; else tail -c "+$((from + 1))" "$file"; fi
done
"""


@dataclass
class _Reader:
    """A pod's log that is being read, and the line that has no end yet."""

    job: str
    pod: str
    told: int = 0
    rest: bytes = b""
    since: float = field(default_factory=time.monotonic)
    is_open: bool = True
    # Argo has said that the job has ended
    is_over: bool = False
    last: int | None = (
        # No more than so many lines are wanted, which are known once all are there
        None
    )
    held: list[bytes] = field(default_factory=list)
    # When its connection broke, until it is read again
    broken: float | None = None
    # Bytes that were told before
    skip: int = 0

    def begin_again(self) -> None:
        """Read the log anew, and skip what was told of it."""
        self.skip, self.told, self.rest, self.is_over, self.broken = (
            self.told + self.skip,
            0,
            b"",
            False,
            None,
        )
        self.held.clear()

    def lines(self, data: bytes) -> bytes:
        """Take what was read; return the whole lines of the job's own that are there now."""
        self.since = time.monotonic()
        whole, end, self.rest = (self.rest + data).rpartition(b"\n")
        own = whole + end
        if b"argo=true" in own or self.is_over:
            own = b"".join(
                line for line in own.splitlines(keepends=True) if self._is_own(line)
            )
        return self._fresh(own)

    def unfinished(self) -> bytes:
        """Return the line that has no end yet, as far as it is there."""
        rest, self.rest = self.rest, b""
        return self._fresh(rest)

    def _fresh(self, own: bytes) -> bytes:
        fresh = own[self.skip :]
        self.skip -= len(own) - len(fresh)
        self.told += len(own)
        return fresh

    def _is_own(self, line: bytes) -> bool:
        """Whether the job has written a line, and not Argo's executor around it."""
        if _EXECUTOR.match(line):
            self.is_over = self.is_over or b"sub-process exited" in line
            return False
        return not (self.is_over and _EXIT.match(line))


class _Follower:
    """What has been told of one run so far."""

    def __init__(self, engine: "ArgoEngine", query: LogQuery) -> None:
        self._engine, self._query = engine, query
        self.queue: SimpleQueue[tuple[str, Any, Any]] = SimpleQueue()
        self._readers: dict[str, _Reader] = {}
        # Ids of jobs whose log was told, or is being told
        self._told: set[str] = set()
        self._states: dict[str, State] = {}
        # As they were last seen
        self._pods: list[Object] = []
        self._secrets = self._hidden()

    def _hidden(self) -> list[bytes]:
        found = (
            self._engine.api.find(
                path("secrets", self._engine.namespace, "riseml-secrets")
            )
            or {}
        )
        values = (
            base64.b64decode(value) for value in (found.get("data") or {}).values()
        )
        return sorted(filter(None, values), key=len, reverse=True)

    @property
    def is_reading(self) -> bool:
        """Whether a pod's log has not come to its end."""
        return any(reader.is_open for reader in self._readers.values())

    def looked(self, whole: SetStatus, pods: list[Object]) -> Iterator[Chunk | Change]:
        """Yield what a look at the run tells: changes of state, a job's after its last lines."""
        self._pods = pods or self._pods
        self._open(whole, self._pods)
        for part in parts(whole, self._query.id):
            if self._states.get(part.id) == part.state:
                continue
            if part.state.is_terminal and self._waits_for(part.id):
                continue
            self._states[part.id] = part.state
            if (
                isinstance(part, JobStatus)
                and part.state.is_terminal
                and part.id not in self._told
            ):
                yield from self._copied(whole, part)
            if part.state is not State.CREATED:
                yield change(part)

    def _waits_for(self, id: str) -> bool:  # noqa: A002
        return any(
            r.is_open and f"{r.job}.".startswith(f"{id}.")
            for r in self._readers.values()
        )

    def _open(self, whole: SetStatus, pods: list[Object]) -> None:
        ids = {key: job.id for key, job in _jobs(whole, self._query.id)}
        for pod in sorted(
            pods, key=lambda each: str(each["metadata"]["creationTimestamp"])
        ):
            name, job = pod["metadata"]["name"], ids.get(_key(pod))
            if job is None or name in self._readers or not _has_begun(pod):
                continue
            opened = [reader.job for reader in self._readers.values() if reader.is_open]
            if len(opened) >= _READERS or job in opened:
                # Attempts of one job follow each other
                continue
            self._told.add(job)
            last = self._query.tail if _has_ended(pod) else None
            reader = self._readers[name] = _Reader(job, name, last=last)
            self._start(reader)

    def _start(self, reader: _Reader) -> None:
        Thread(
            target=self._read,
            args=(reader,),
            daemon=True,
            name=f"riseml-log-{reader.pod}",
        ).start()

    def broke(self, reader: _Reader, error: Exception) -> bool:
        """Whether a log whose connection broke is read again in a moment: not where its pod is gone."""
        if (
            isinstance(error, NotFoundError)
            or not self._query.follow
            or self._query.tail
            or self._query.since
        ):
            return False
        reader.broken = time.monotonic()
        return True

    def go_on(self) -> None:
        """Read logs again whose connection broke a moment ago."""
        for reader in self._readers.values():
            if reader.broken is not None and time.monotonic() - reader.broken > _GLANCE:
                reader.begin_again()
                self._start(reader)

    def _read(self, reader: _Reader) -> None:
        query: dict[str, Any] = {
            "container": "main",
            "follow": str(self._query.follow).lower(),
        }
        if self._query.tail is not None:
            query["tailLines"] = self._query.tail + (
                _EXTRA if reader.last is not None else 0
            )
        if self._query.since is not None:
            query["sinceTime"] = self._query.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            at = path("pods", self._namespace, reader.pod) + "/log"
            response = self._engine.api.open(at, timeout=86_400, **query)
            for data in response.stream(1 << 16, decode_content=True):
                self.queue.put(("data", reader, data))
        except Exception as error:  # noqa: BLE001
            # Told by whoever reads the queue
            self.queue.put(("broken", reader, error))
        else:
            self.queue.put(("end", reader, None))

    @property
    def _namespace(self) -> str:
        return self._engine.namespace_of(self._query.id)

    def read(self, reader: _Reader, data: bytes) -> Iterator[Chunk]:
        """Yield the whole lines that are there with what a pod wrote."""
        whole = reader.lines(data)
        if reader.last is not None:
            reader.held += whole.splitlines(keepends=True)
            del reader.held[: max(0, len(reader.held) - reader.last)]
        elif whole:
            yield Chunk(reader.job, self._masked(whole))

    def closed(
        self, reader: _Reader, whole: SetStatus | None, *, broken: bool
    ) -> Iterator[Chunk]:
        """Yield the rest of a pod's log; of a broken one what its copy has beyond."""
        reader.is_open = False
        if reader.held:
            yield Chunk(reader.job, self._masked(b"".join(reader.held)))
        if rest := reader.unfinished():
            yield Chunk(reader.job, self._masked(rest))
        if (
            broken
            and whole is not None
            and (self._query.tail is None or not reader.told)
        ):
            job = next(
                (
                    job
                    for _, job in _jobs(whole, self._query.id)
                    if job.id == reader.job
                ),
                None,
            )
            if job is not None:
                yield from self._copied(whole, job, reader.told)

    def unfinished(self) -> Iterator[Chunk]:
        """Yield lines that have had no end for a while."""
        for reader in self._readers.values():
            waits = reader.rest and time.monotonic() - reader.since > _PATIENCE
            if waits and (rest := reader.unfinished()):
                yield Chunk(reader.job, self._masked(rest), partial=True)

    def _copied(
        self, whole: SetStatus, job: JobStatus, start: int = 0
    ) -> Iterator[Chunk]:
        """Yield what the output volume has of a job's log."""
        self._told.add(job.id)
        experiment = next(
            (each for each in whole.experiments if job in each.jobs), None
        )
        folder = (
            live_results.folder(whole, experiment)
            if experiment
            else live_results.run_folder(whole)
        )
        name = f"{job.type}.{job.index}" if job.index else job.type
        tail = "" if self._query.tail is None else str(self._query.tail)
        since = (
            "" if self._query.since is None else str(int(self._query.since.timestamp()))
        )
        store = self._engine.store_of(self._query.id)
        try:
            data = store.script(_COPY, folder, name, str(start), tail, since)
        except RiseMLError:
            return
        if data:
            yield Chunk(job.id, self._masked(data), source="copy")

    def _masked(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, b"***")
        return data


def follow(engine: "ArgoEngine", query: LogQuery) -> Iterator[Chunk | Change]:
    """Yield the lines and changes of state of a run, of one of its experiments, or of a job."""
    first = engine.read(query.id)
    if not any(parts(first, query.id)):
        advice = f"`riseml status {query.id.number}` lists what there is."
        raise NotFoundError(f"could not find {query.id}", advice)
    follower = _Follower(engine, query)
    if query.follow and not _is_over(first, query.id):
        Thread(
            target=_look,
            args=(engine, query.id, follower.queue),
            daemon=True,
            name="riseml-looks",
        ).start()
    yield from follower.looked(first, _pods(engine, first, query.id))
    yield from _followed(engine, query, follower, first)


def _followed(
    engine: "ArgoEngine", query: LogQuery, follower: _Follower, whole: SetStatus
) -> Iterator[Chunk | Change]:
    """Yield what comes through the queue until what was asked for is over, and told."""
    looked = time.monotonic()
    patience = looked + _DRAIN
    while True:
        over = not query.follow or _is_over(whole, query.id)
        if not over:
            patience = time.monotonic() + _DRAIN
        elif not follower.is_reading or time.monotonic() > patience:
            yield from follower.looked(whole, [])
            return
        try:
            kind, what, data = follower.queue.get(timeout=_PATIENCE)
        except Empty:
            yield from follower.unfinished()
            follower.go_on()
            if not over and time.monotonic() - looked > _GLANCE:
                looked = time.monotonic()
                yield from follower.looked(whole, _pods(engine, whole, query.id))
            continue
        if kind == "data":
            yield from follower.read(what, data)
        elif kind == "look":
            whole, looked = what, time.monotonic()
            yield from follower.looked(whole, _pods(engine, whole, query.id))
        elif kind == "error":
            raise what
        elif kind == "broken" and not over and follower.broke(what, data):
            continue
        else:
            yield from follower.closed(what, whole, broken=kind == "broken")
            yield from follower.looked(whole, [])


def _look(
    engine: "ArgoEngine", run: Id, queue: "SimpleQueue[tuple[str, Any, Any]]"
) -> None:
    try:
        for whole in engine.looks(run):
            queue.put(("look", whole, None))
            if _is_over(whole, run):
                return
    except Exception as error:  # noqa: BLE001
        # Raised where the queue is read
        queue.put(("error", error, None))


def _is_over(whole: SetStatus, wanted: Id) -> bool:
    """Whether what was asked for has ended; a TensorBoard that ends later is not waited for."""
    if wanted.type is not None:
        return (
            all(part.state.is_terminal for part in parts(whole, wanted))
            or whole.state.is_terminal
        )
    if wanted.sub is not None:
        return all(each.state.is_terminal for each in experiments(whole, wanted))
    return whole.state.is_terminal


def _pods(engine: "ArgoEngine", whole: SetStatus, wanted: Id) -> list[Object]:
    if not whole.name:
        return []
    chosen = f"{labels.WORKFLOW} in ({','.join(engine.workflows(whole))})"
    if wanted.sub is not None and whole.is_set:
        chosen += f",{labels.EXPERIMENT}={wanted.sub}"
    try:
        return list(
            engine.api.items(
                path("pods", engine.namespace_of(wanted)), labelSelector=chosen
            )
        )
    except RiseMLError:
        return []


def _jobs(
    whole: SetStatus, wanted: Id
) -> Iterator[tuple[tuple[str, str, str], JobStatus]]:
    """Yield the jobs that are asked for, with what the labels of their pods say."""
    own = wanted.sub is None or not whole.is_set
    for job in whole.jobs if own else ():
        if is_meant(job, wanted):
            yield ("", job.type, ""), job
    for experiment in experiments(whole, wanted):
        for job in experiment.jobs:
            if is_meant(job, wanted):
                yield (_sub(experiment), job.type, str(job.index or "")), job


def _sub(experiment: ExperimentStatus) -> str:
    return str(experiment.sub or 1)


def _key(pod: Object) -> tuple[str, str, str]:
    tags = pod["metadata"].get("labels", {})
    return (
        tags.get(labels.EXPERIMENT, ""),
        tags.get(labels.TYPE, ""),
        tags.get(labels.INDEX, ""),
    )


def _has_ended(pod: Object) -> bool:
    states = (
        c.get("state", {})
        for c in pod["status"].get("containerStatuses", ())
        if c["name"] == "main"
    )
    return any("terminated" in state for state in states)


def _has_begun(pod: Object) -> bool:
    states = (
        c.get("state", {})
        for c in pod["status"].get("containerStatuses", ())
        if c["name"] == "main"
    )
    return any("running" in state or "terminated" in state for state in states)
