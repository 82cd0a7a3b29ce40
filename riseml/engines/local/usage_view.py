"""View of what running jobs of this machine use, for a screen that is redrawn every second.

    database ──▶ running pods ──▶ supervisors ──job_sampler──▶ CPU, memory ─┐
    /proc/PID/io, /proc/PID/net/dev ──▶ disk, network ──────────────────────┼──▶ JobUsage
    NVML or the vendor's tool ──▶ GPUs ─────────────────────────────────────┘

A rate is the difference of two readings. Jobs share the network of the machine, unless
riseml.yml isolates theirs: only then can it be measured.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from riseml.dataclass import dataclass, replace
from riseml.engines.local.jobs import launcher, process_table, processes
from riseml.engines.local.jobs.gpu_sampler import GpuSampler
from riseml.engines.local.jobs.job_sampler import JobSample, JobSampler
from riseml.engines.local.jobs.pod import gpus_of
from riseml.engines.local.reader import HomeReader
from riseml.engines.local.running_pods import RunningPod, RunningPods
from riseml.ids import Id
from riseml.readings import GpuUsage, JobUsage

# The first reading takes so long, so that it has rates as well.
_FIRST_SECONDS = 0.25
_SELF = "/proc/self/ns/net"
_SHARED_NETWORK = (
    "jobs share the network of this machine, so it is not measured; "
    "with `isolate_network: true` in riseml.yml it is"
)


@dataclass(frozen=True)
class _Supervisor:
    """The supervisor of a pod: its pid, its job's key, and the ids of the job's GPUs."""

    pid: int
    key: str
    gpus: tuple[str, ...]


class _Reading(NamedTuple):
    """Counters of a job at one time (monotonic seconds); None where they cannot be read."""

    time: float
    cpu_seconds: float
    disk: process_table.DiskBytes | None
    net: process_table.NetBytes | None


class LocalUsageView:
    """What running jobs use; see `riseml.engines.views.UsageView`."""

    def __init__(
        self,
        reader: HomeReader,
        selected: Id,
        gpus: GpuSampler | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._selected, self._clock = selected, clock
        self._gpus = gpus or GpuSampler()
        self._running = RunningPods(reader)
        self._sampler = JobSampler()
        self._supervisors: dict[Path, _Supervisor] = {}
        self._readings: dict[str, _Reading] = {}
        self._is_first = True

    def read(self) -> list[JobUsage]:
        """Return what the jobs use now."""
        if self._is_first:
            self._is_first = False
            self._read()
            time.sleep(_FIRST_SECONDS)
        return self._read()

    def close(self) -> None:
        """Let the drivers of GPUs go."""
        self._gpus.close()

    def _read(self) -> list[JobUsage]:
        pods = self._running.read(self._selected)
        supervisors = {}
        for pod in pods:
            supervisor = self._supervisor(pod.folder)
            if supervisor is not None:
                supervisors[pod.folder] = supervisor
        self._supervisors = supervisors
        pids = {item.key: item.pid for item in supervisors.values()}
        samples = self._sampler.sample(pids)
        gpus = self._sample_gpus(supervisors.values(), samples)
        usages = []
        readings = {}
        for pod in pods:
            supervisor = supervisors.get(pod.folder)
            sample = samples.get(supervisor.key) if supervisor else None
            if supervisor is None or sample is None:
                usages.append(_unmeasured(pod))
                continue
            reading = self._reading(sample)
            readings[supervisor.key] = reading
            previous = self._readings.get(supervisor.key)
            usage = _usage(pod, sample, reading, previous)
            usages.append(replace(usage, gpus=gpus.get(supervisor.key, ())))
        self._readings = readings
        return usages

    def _sample_gpus(
        self, supervisors: Iterable[_Supervisor], samples: Mapping[str, JobSample]
    ) -> dict[str, tuple[GpuUsage, ...]]:
        owners = {item.key: item.gpus for item in supervisors if item.key in samples}
        pids = {key: sample.pids for key, sample in samples.items()}
        return self._gpus.sample(owners, pids)

    def _supervisor(self, folder: Path) -> _Supervisor | None:
        """Return the supervisor of a pod, None if it has ended or is about to start."""
        if folder in self._supervisors:
            return self._supervisors[folder]
        record = launcher.read_pid(folder)
        if record is None or not processes.alive(*record):
            return None
        key = process_table.key_of(record[0])
        if not key:
            return None
        return _Supervisor(record[0], key, gpus_of(folder))

    def _reading(self, sample: JobSample) -> _Reading:
        # In a container, the supervisor has another network than the job's program.
        newest = max(sample.pids)
        net = process_table.net_bytes(newest) if _has_network(newest) else None
        disk = _disk(sample.pids)
        return _Reading(self._clock(), sample.cpu_seconds, disk, net)


def _usage(
    pod: RunningPod,
    sample: JobSample,
    reading: _Reading,
    previous: _Reading | None,
) -> JobUsage:
    cpu = read = written = received = sent = None
    if previous is not None:
        seconds = reading.time - previous.time
        cpu = _rate(reading.cpu_seconds, previous.cpu_seconds, seconds)
        if reading.disk and previous.disk:
            read = _rate(reading.disk.read, previous.disk.read, seconds)
            written = _rate(reading.disk.written, previous.disk.written, seconds)
        if reading.net and previous.net:
            received = _rate(reading.net.received, previous.net.received, seconds)
            sent = _rate(reading.net.sent, previous.net.sent, seconds)
    return JobUsage(
        pod.job.id,
        project=pod.project,
        type=pod.job.type,
        started=pod.started,
        cpu=cpu,
        mem=sample.mem,
        disk_read=read,
        disk_written=written,
        net_received=received,
        net_sent=sent,
        requested=pod.job.resources,
        note="" if reading.net else _SHARED_NETWORK,
    )


def _unmeasured(pod: RunningPod) -> JobUsage:
    return JobUsage(
        pod.job.id,
        project=pod.project,
        type=pod.job.type,
        started=pod.started,
        requested=pod.job.resources,
        note="its processes are about to start, or have just ended",
    )


def _rate(value: float, earlier: float, seconds: float) -> float | None:
    """Return the change per second; a counter loses what ended processes had if nobody waits for them."""
    if seconds <= 0:
        return None
    return max(0.0, value - earlier) / seconds


def _disk(pids: Iterable[int]) -> process_table.DiskBytes | None:
    read = written = 0
    is_readable = False
    for pid in pids:
        counters = process_table.disk_bytes(pid)
        # Programs of another user cannot be read.
        if counters is not None:
            is_readable = True
            read += counters.read
            written += counters.written
    return process_table.DiskBytes(read, written) if is_readable else None


def _has_network(pid: int) -> bool:
    """Return whether a process is in another network than this one."""
    try:
        own = Path(_SELF).stat().st_ino
        return Path(f"/proc/{pid}/ns/net").stat().st_ino != own
    except OSError:
        return False
