"""Use of GPUs now: of each card, and of each process on it.

    readings(gpus)        ──▶ Reading per GPU: utilization, memory, power, temperature
    processes(gpus)       ──▶ GpuProcess per process that holds memory of a GPU
    samples(gpus, since)  ──▶ UsageSample per process and moment: SM time, memory traffic

NVML answers, else nvidia-smi; for AMD, files of the kernel. What a card, a slice or a
driver does not know is None. A GPU that cannot be asked at all is left out.

NVML's utilization is that of a past window of up to a second, so a card may read as busy
after its last program has ended. Its samples of processes stay in a ring buffer for some
seconds: pass the time of the newest sample as `since` to get each one once. A process that
computed nothing has no sample, and slices and WSL2 have none at all.

A caller that asks every second holds a `session()` open, which keeps the driver loaded.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from riseml.gpus import amd_usage, nvidia_smi_usage, nvml, nvml_usage
from riseml.gpus.gpu import AMD, NVIDIA, Gpu, of_vendor
from riseml.gpus.records import GpuProcess, Reading, UsageSample
from riseml.gpus.system import DriverError, System

__all__ = [
    "GpuProcess", "Reading", "UsageSample", "processes", "readings", "samples", "session",
]  # fmt: skip

Record = TypeVar("Record", Reading, GpuProcess, UsageSample)


def readings(
    gpus: Sequence[Gpu], path: str = "", root: Path = Path("/")
) -> tuple[Reading, ...]:
    """Return what the drivers say about these GPUs now.

    `path` is the PATH that finds the programs of the drivers.
    """
    system = System(root, path)
    nvidia, amd = of_vendor(NVIDIA, gpus), of_vendor(AMD, gpus)
    values = _first(
        nvidia,
        lambda: nvml_usage.readings(nvidia),
        lambda: nvidia_smi_usage.readings(system, nvidia),
    )
    return (*values, *amd_usage.readings(system, amd))


def processes(
    gpus: Sequence[Gpu], path: str = "", root: Path = Path("/")
) -> tuple[GpuProcess, ...]:
    """Return the processes that hold memory of these GPUs, of all users."""
    system = System(root, path)
    nvidia, amd = of_vendor(NVIDIA, gpus), of_vendor(AMD, gpus)
    values = _first(
        nvidia,
        lambda: nvml_usage.processes(nvidia),
        lambda: nvidia_smi_usage.processes(system, nvidia),
    )
    return (*values, *amd_usage.processes(system, amd))


def samples(
    gpus: Sequence[Gpu], since: float, path: str = "", root: Path = Path("/")
) -> tuple[UsageSample, ...]:
    """Return what processes used of these GPUs after `since` (seconds since 1970).

    nvidia-smi and AMD's kernel module know only the present, so their samples are of now.
    """
    system = System(root, path)
    nvidia, amd = of_vendor(NVIDIA, gpus), of_vendor(AMD, gpus)
    now = time.time()
    values = _first(
        nvidia,
        lambda: nvml_usage.samples(nvidia, since),
        lambda: nvidia_smi_usage.samples(system, nvidia, now),
    )
    return (*values, *amd_usage.samples(system, amd, now))


@contextmanager
def session() -> Iterator[None]:
    """Keep NVML open, if there is one: questions in between are answered faster."""
    with ExitStack() as stack:
        with suppress(DriverError):
            stack.enter_context(nvml.opened())
        yield


def _first(
    gpus: list[Gpu], *questions: Callable[[], list[Record]]
) -> tuple[Record, ...]:
    """Return the first answer that a driver gives; nothing if none does."""
    if not gpus:
        return ()
    for ask in questions:
        try:
            return tuple(ask())
        except DriverError:
            continue
    return ()
