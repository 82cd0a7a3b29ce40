"""What jobs use while they run: sampled by the controller, for what is recorded at their ends.

    every 5 s    all processes of the machine at once, GPUs if a job has one ──▶ PodUsage ──▶ <pod>/usage
    at the end   the kernel's account (pid_file.usage) + PodUsage ──▶ the output `usage` of the node

A job that ends within seconds has only the kernel's account: the CPU time of all of its
processes, and the memory of the largest one. Samples add the memory of all processes
together, and GPUs. A later controller continues from the file in the pod's folder.

`observers` get each round of samples: a `PodSample` by the key of the pod.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from riseml.dataclass import dataclass, field, replace
from riseml.engines.local import live_usage
from riseml.engines.local.jobs import pid_file
from riseml.engines.local.jobs.container_removal import SPEC
from riseml.engines.local.jobs.gpu_sampler import GpuSampler
from riseml.engines.local.jobs.job_sampler import JobSample, JobSampler
from riseml.engines.local.jobs.pod import Pod, gpus_of
from riseml.readings import GpuUsage, JobUsage
from riseml.usage import Usage

SAMPLE_SECONDS = 5.0
"""Time between two samples of all jobs."""

_SAVE_SECONDS = 30.0
# A peak that has grown by this factor is worth a write at once.
_GROWTH = 1.1
# The parent of a supervisor reaps it a moment after the controller has noticed its end.
_REAP_CHECKS, _REAP_SECONDS = 60, 0.0005


class PodSample(NamedTuple):
    """What the processes of a pod use at one time (seconds since 1970), and its GPUs."""

    time: float
    processes: JobSample
    gpus: tuple[GpuUsage, ...]


@dataclass
class PodUsage:
    """What the samples of a pod add up to."""

    mem_peak: int = 0
    cpu_seconds: float = 0.0
    gpu_samples: int = 0
    gpu_util_sum: float = 0.0
    gpu_util_peak: float = 0.0
    gpu_mem_peak: int = 0

    def add(self, sample: PodSample) -> None:
        """Add a sample."""
        self.mem_peak = max(self.mem_peak, sample.processes.least_mem)
        self.cpu_seconds = max(self.cpu_seconds, sample.processes.cpu_seconds)
        total = JobUsage("", gpus=sample.gpus)
        if total.gpu_util is not None:
            self.gpu_samples += 1
            self.gpu_util_sum += total.gpu_util
            self.gpu_util_peak = max(self.gpu_util_peak, total.gpu_util)
            self.gpu_mem_peak = max(self.gpu_mem_peak, total.gpu_mem or 0)

    def record(self, account: tuple[float, int], seconds: float) -> Usage:
        """Return what is recorded of a job that ran for some seconds.

        `account` has the CPU time of its processes, and the memory of the largest one.
        """
        mem_peak = max(self.mem_peak, account[1])
        cpu_seconds = max(self.cpu_seconds, account[0])
        usage = Usage(
            mem_peak=mem_peak or None,
            cpu_mean=round(cpu_seconds / seconds, 3) if seconds > 0 else None,
        )
        if not self.gpu_samples:
            return usage
        return replace(
            usage,
            gpu_util_mean=round(self.gpu_util_sum / self.gpu_samples, 3),
            gpu_util_peak=round(self.gpu_util_peak, 3),
            gpu_mem_peak=self.gpu_mem_peak,
        )


Observer = Callable[[Mapping[str, PodSample]], None]


@dataclass
class UsageRecords:
    """Samples of the running pods of a home."""

    jobs: JobSampler = field(default_factory=JobSampler)
    gpus: GpuSampler = field(default_factory=GpuSampler)
    clock: Callable[[], float] = time.time
    observers: list[Observer] = field(default_factory=list)
    _pods: dict[str, Pod] = field(default_factory=dict)
    _usage: dict[str, PodUsage] = field(default_factory=dict)
    _owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _sampled_at: float = 0.0
    _saved_at: float = 0.0
    _saved_peaks: dict[str, int] = field(default_factory=dict)

    def begin(self, pod: Pod) -> None:
        """Sample a pod whose processes are running, as an earlier controller may have done."""
        self._pods[pod.key] = pod
        self._usage[pod.key] = _read(pod.directory)
        self._owners[pod.key] = gpus_of(pod.directory)

    def sample(self) -> None:
        """Take a sample of all pods if it is time for one."""
        now = self.clock()
        # A clock may be set back.
        if not self._pods or 0 <= now - self._sampled_at < SAMPLE_SECONDS:
            return
        self._sampled_at = now
        pids = {key: pod.pid for key, pod in self._pods.items() if pod.pid}
        samples = self.jobs.sample(pids)
        members = {key: sample.pids for key, sample in samples.items()}
        owners = {key: self._owners[key] for key in samples}
        gpus = self.gpus.sample(owners, members)
        taken = {}
        for key, sample in samples.items():
            taken[key] = PodSample(now, sample, gpus.get(key, ()))
            self._usage[key].add(taken[key])
        for observe in self.observers:
            observe(taken)
        self._save(now)

    def end(self, pod: Pod) -> str:
        """Return the text of what a pod used that has ended, empty if nothing is known."""
        usage = self._usage.pop(pod.key, None) or PodUsage()
        self._pods.pop(pod.key, None)
        self._owners.pop(pod.key, None)
        self._saved_peaks.pop(pod.key, None)
        lines, _ = pid_file.read(str(pod.directory))
        if not lines:
            return ""
        started = float(lines[0].split()[3])
        account = _account(pod)
        recorded = usage.record(account, self.clock() - started)
        return recorded.to_text() if recorded.mem_peak else ""

    def _save(self, now: float) -> None:
        """Keep the sums for a later controller, and for remarks about running jobs."""
        is_due = not 0 <= now - self._saved_at < _SAVE_SECONDS
        if is_due:
            self._saved_at = now
        for key, usage in self._usage.items():
            if not is_due and usage.mem_peak < self._saved_peaks.get(key, 1) * _GROWTH:
                continue
            self._saved_peaks[key] = usage.mem_peak
            # Without a file, which a full disk prevents, the peaks so far are lost.
            with suppress(OSError):
                file = self._pods[key].directory / live_usage.FILE
                file.write_text(json.dumps(vars(usage)), encoding="ascii")


def _read(directory: Path) -> PodUsage:
    try:
        data = json.loads((directory / live_usage.FILE).read_text("ascii"))
        return PodUsage(**data)
    except (OSError, ValueError, TypeError):
        return PodUsage()


def _account(pod: Pod) -> tuple[float, int]:
    """Return the kernel's account of a pod's processes, zeros if it is lost.

    The processes of a container are not among them: its account would be that of podman.
    """
    if (pod.directory / SPEC).exists():
        return 0.0, 0
    for _ in range(_REAP_CHECKS):
        account = pid_file.usage(str(pod.directory))
        if account is not None:
            return account
        time.sleep(_REAP_SECONDS)
    return 0.0, 0
