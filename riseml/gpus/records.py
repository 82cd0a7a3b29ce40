"""What is known about the use of GPUs at one moment."""

from riseml.dataclass import dataclass


@dataclass(frozen=True)
class Reading:
    """Use of one GPU; `gpu` is its id.

    `utilization` is the share of time in which a program ran on it, and `memory_traffic`
    the share in which its memory was read or written: 0 to 1. `mem_used` and `mem_total`
    are bytes, `power` is in watts, `temperature` in degrees Celsius.
    """

    gpu: str
    utilization: float | None = None
    memory_traffic: float | None = None
    mem_used: int | None = None
    mem_total: int | None = None
    power: float | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class GpuProcess:
    """A process that holds memory of a GPU; `gpu` is the id of that.

    `mem` is in bytes. `is_graphics` marks one that draws on a screen, even if it also
    computes. In a container, the pid may be that of another namespace.
    """

    gpu: str
    pid: int
    mem: int | None = None
    is_graphics: bool = False


@dataclass(frozen=True)
class UsageSample:
    """Use of a GPU by one process around a moment, `time` in seconds since 1970.

    `sm` is the share of the GPU's processors that the process used, `memory_traffic` the
    share of time in which it read or wrote memory: 0 to 1.
    """

    gpu: str
    pid: int
    time: float
    sm: float
    memory_traffic: float | None = None


def share(percent: float | None) -> float | None:
    """Return a percentage as a share of 1; drivers sometimes report more than 100."""
    return None if percent is None else min(percent, 100) / 100


def scaled(value: float | None, unit: float) -> float | None:
    """Return a value of small units as a number of larger ones."""
    return None if value is None else value / unit
