"""Samples of what the processes of jobs use: CPU time, and memory that counts once where it is shared.

    /proc ──one look──▶ ProcessTable ──supervisor's descendants, or RISEML_JOB_KEY──▶ JobSample of each job

The supervisor of a job reaps all of its descendants, so they are found by their parents.
Processes in containers are not below it, but have the job's key in their environment.
The key of a process is read once.

Memory. Workers that a job forks share most of theirs with it, so a sum would count that
again for each of them. The kernel tells a process's share (PSS), but has to walk all
pages for it. So it is asked only where more than the largest process counts, and so
rarely that it takes 1 % of a core. In between, the memory of a job is estimated from the
ratio that was measured last.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from riseml.dataclass import dataclass
from riseml.engines.local.jobs import process_table
from riseml.engines.local.jobs.process_table import Process

# What the shells around a job's program have at most. It is not worth a walk.
_SMALL_BYTES = 32_000_000
_SHARE = 0.01

_Identity = tuple[int, int]


class JobSample(NamedTuple):
    """What the processes of a job use at one time.

    `cpu_seconds` counts since the job's start, with processes that have ended. `mem` is in
    bytes; if it is not `is_measured`, it was estimated. `largest` is the memory of the largest process.
    """

    pids: frozenset[int]
    cpu_seconds: float
    mem: int
    largest: int
    is_measured: bool = True

    @property
    def least_mem(self) -> int:
        """The memory that the job has for certain, in bytes."""
        return self.mem if self.is_measured else self.largest


class JobSampler:
    """Sampler of jobs: keeps the keys of processes, and how much memory of jobs is shared."""

    def __init__(
        self,
        root: str = process_table.ROOT,
        clock: Callable[[], float] = time.monotonic,
        stopwatch: Callable[[], float] = time.thread_time,
    ) -> None:
        self._root, self._clock, self._stopwatch = root, clock, stopwatch
        self._keys = _Keys(root)
        self._shared: dict[str, _SharedMemory] = {}

    def sample(self, supervisors: Mapping[str, int]) -> dict[str, JobSample]:
        """Return a sample of each job that has processes, by its key.

        `supervisors` has the pid of each job's supervisor by the job's key.
        """
        if not supervisors:
            return {}
        table = process_table.read(self._root)
        members = self._members(table, supervisors)
        samples = {}
        shared = {}
        for key, job_processes in members.items():
            if job_processes:
                shared[key] = self._shared.get(key) or _SharedMemory()
                samples[key] = self._sample(job_processes, shared[key])
        self._shared = shared
        self._keys.keep_only(table)
        return samples

    def _members(
        self, table: Mapping[int, Process], supervisors: Mapping[str, int]
    ) -> dict[str, list[Process]]:
        """Return the processes of each job."""
        children = _children(table)
        members: dict[str, list[Process]] = {}
        placed: set[int] = set()
        for key, supervisor in supervisors.items():
            members[key] = list(self._below(key, supervisor, table, children))
            placed.update(process.pid for process in members[key])
        for pid in table.keys() - placed:
            key_of_other = self._keys.of(table[pid])
            if key_of_other in members:
                members[key_of_other].append(table[pid])
        return members

    def _below(
        self,
        key: str,
        supervisor: int,
        table: Mapping[int, Process],
        children: Mapping[int, list[int]],
    ) -> Iterator[Process]:
        """Yield a supervisor and its descendants, but none of another job."""
        pending = [supervisor]
        while pending:
            pid = pending.pop()
            process = table.get(pid)
            # A job may run a controller, whose jobs have other keys.
            if process is None or self._keys.of(process) not in (key, None):
                continue
            yield process
            pending += children.get(pid, ())

    def _sample(self, members: list[Process], shared: "_SharedMemory") -> JobSample:
        cpu_seconds = sum(process.cpu for process in members)
        pids = frozenset(process.pid for process in members)
        sizes = [process.rss for process in members]
        largest, total = max(sizes), sum(sizes)
        if total - largest <= _SMALL_BYTES:
            return JobSample(pids, cpu_seconds, total, largest)
        if self._clock() < shared.due:
            mem = max(largest, int(total * shared.ratio))
            return JobSample(pids, cpu_seconds, mem, largest, is_measured=False)
        mem = self._measure(members, shared)
        shared.ratio = mem / total
        return JobSample(pids, cpu_seconds, mem, largest)

    def _measure(self, members: Iterable[Process], shared: "_SharedMemory") -> int:
        """Return the memory of processes, where shared pages count once."""
        begun = self._stopwatch()
        proportional = 0
        for process in members:
            own = process_table.proportional_memory(process.pid, self._root)
            # Programs of another user cannot be asked.
            proportional += process.rss if own is None else own
        cost = self._stopwatch() - begun
        shared.due = self._clock() + cost / _SHARE
        return proportional


@dataclass
class _SharedMemory:
    """Ratio of a job's memory to the sum over its processes, and when it may be measured again."""

    ratio: float = 1.0
    due: float = 0.0


class _Keys:
    """Keys of processes, each read once."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._keys: dict[_Identity, str | None] = {}
        self._seen: set[_Identity] = set()

    def of(self, process: Process) -> str | None:
        """Return the key in the environment of a process, None without one."""
        identity = (process.pid, process.start)
        if identity in self._keys:
            return self._keys[identity]
        key = process_table.key_of(process.pid, self._root)
        # A process that has just been forked gets its environment a moment later.
        if key is not None or identity in self._seen:
            self._keys[identity] = key
        self._seen.add(identity)
        return key

    def keep_only(self, table: Mapping[int, Process]) -> None:
        """Forget the processes that have ended."""
        alive = {(process.pid, process.start) for process in table.values()}
        self._seen &= alive
        self._keys = {
            identity: key for identity, key in self._keys.items() if identity in alive
        }


def _children(table: Mapping[int, Process]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    return children
