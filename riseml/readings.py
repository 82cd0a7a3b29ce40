"""Readings: what a running job and its GPUs use now."""

from collections.abc import Iterable
from datetime import datetime

from riseml.dataclass import dataclass
from riseml.plan import Resources


@dataclass(frozen=True)
class GpuUsage:
    """One GPU of a job now.

    `util` is the share of the time in which it computed, from 0 to 1, and `mem` the bytes
    that are in use, both by all programs. `job_util` and `job_mem` are those of the
    job's own processes. `power` is in watts, `temp` in degrees Celsius. None: not known.
    """

    id: str
    index: int
    name: str = ""
    bus: str = ""
    util: float | None = None
    mem: int | None = None
    mem_total: int | None = None
    power: float | None = None
    power_limit: float | None = None
    temp: float | None = None
    job_util: float | None = None
    job_mem: int | None = None


@dataclass(frozen=True)
class JobUsage:
    """What a running job uses now; None stands for what cannot be measured.

    `cpu` is in cores, `mem` in bytes, where memory that processes share counts once. The
    others are bytes per second. `note` says why something is not measured.
    """

    id: str
    project: str = ""
    type: str = ""
    state: str = "RUNNING"
    started: datetime | None = None
    cpu: float | None = None
    mem: int | None = None
    disk_read: float | None = None
    disk_written: float | None = None
    net_received: float | None = None
    net_sent: float | None = None
    gpus: tuple[GpuUsage, ...] = ()
    requested: Resources | None = None
    note: str = ""

    @property
    def gpu_util(self) -> float | None:
        """How many GPUs the job keeps busy: the sum of their shares, None without any."""
        return _total(_own(gpu.job_util, gpu.util) for gpu in self.gpus)

    @property
    def gpu_mem(self) -> int | None:
        """The memory of its GPUs that the job uses, in bytes; None without any."""
        total = _total(_own(gpu.job_mem, gpu.mem) for gpu in self.gpus)
        return None if total is None else int(total)

    @property
    def gpu_mem_total(self) -> int | None:
        """The memory of its GPUs, in bytes; None without any."""
        total = _total(gpu.mem_total for gpu in self.gpus)
        return None if total is None else int(total)


def _own(by_job: float | None, by_all: float | None) -> float | None:
    """Return what a job's processes use; where that is not known, what all programs use."""
    return by_all if by_job is None else by_job


def _total(values: Iterable[float | None]) -> float | None:
    """Return a sum without the values that are not known, None if there are no others."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
