"""Use of NVIDIA's GPUs, from NVML."""

from collections.abc import Iterator, Sequence

from riseml.gpus.gpu import Gpu
from riseml.gpus.nvml import Device, Session, opened
from riseml.gpus.records import GpuProcess, Reading, UsageSample, scaled, share
from riseml.gpus.visibility import named

_MICROSECONDS = 1_000_000
# Functions that list processes, in versions that differ in their structures; those of
# MPS are listed apart from others.
_VERSIONS = ("_v3", "_v2")
_COMPUTE = (
    "nvmlDeviceGetComputeRunningProcesses",
    "nvmlDeviceGetMPSComputeRunningProcesses",
)
_GRAPHICS = ("nvmlDeviceGetGraphicsRunningProcesses",)


def readings(gpus: Sequence[Gpu]) -> list[Reading]:
    """Return the readings of these GPUs.

    Raises:
        DriverError: NVML does not answer.
    """
    with opened() as session:
        devices = _devices(session, gpus)
        return [_reading(session, gpu, device) for gpu, device in devices]


def processes(gpus: Sequence[Gpu]) -> list[GpuProcess]:
    """Return the processes that hold memory of these GPUs.

    Raises:
        DriverError: NVML does not answer.
    """
    holders: list[GpuProcess] = []
    with opened() as session:
        for gpu, device in _devices(session, gpus):
            computing = _listed(session, device, _COMPUTE)
            drawing = _listed(session, device, _GRAPHICS)
            for pid, mem in {**drawing, **computing}.items():
                holders.append(GpuProcess(gpu.id, pid, mem, pid in drawing))
    return holders


def samples(gpus: Sequence[Gpu], since: float) -> list[UsageSample]:
    """Return what processes used of these GPUs after `since`.

    Raises:
        DriverError: NVML does not answer.
    """
    used: list[UsageSample] = []
    oldest = int(since * _MICROSECONDS)
    with opened() as session:
        for gpu, device in _devices(session, gpus):
            recorded = session.listed(
                session.api.nvmlDeviceGetProcessUtilization, device.handle, oldest
            )
            for entry in recorded:
                # The driver fills up its list with empty and with old entries.
                if entry.pid and entry.timeStamp > oldest:
                    sample = UsageSample(
                        gpu=gpu.id,
                        pid=int(entry.pid),
                        time=entry.timeStamp / _MICROSECONDS,
                        sm=min(entry.smUtil, 100) / 100,
                        memory_traffic=share(entry.memUtil),
                    )
                    used.append(sample)
    return used


def _devices(session: Session, gpus: Sequence[Gpu]) -> Iterator[tuple[Gpu, Device]]:
    devices = {device.gpu: device for device in session.devices()}
    for gpu in gpus:
        # RISEML_GPUS may name it in other ways than NVML.
        for match in named(gpu.id, list(devices)):
            yield gpu, devices[match]


def _reading(session: Session, gpu: Gpu, device: Device) -> Reading:
    api = session.api
    rates = session.value(api.nvmlDeviceGetUtilizationRates, device.handle)
    memory = session.value(
        api.nvmlDeviceGetMemoryInfo, device.handle, api.nvmlMemory_v2
    )
    if memory is None:
        # Drivers before 510 count what they reserve for themselves as used.
        memory = session.value(api.nvmlDeviceGetMemoryInfo, device.handle)
    # A slice has the power and the temperature of its card.
    milliwatts = session.value(api.nvmlDeviceGetPowerUsage, device.card)
    temperature = session.value(
        api.nvmlDeviceGetTemperature, device.card, api.NVML_TEMPERATURE_GPU
    )
    return Reading(
        gpu=gpu.id,
        utilization=share(getattr(rates, "gpu", None)),
        memory_traffic=share(getattr(rates, "memory", None)),
        mem_used=getattr(memory, "used", None),
        mem_total=getattr(memory, "total", None),
        power=scaled(milliwatts, 1000),
        temperature=scaled(temperature, 1),
    )


def _listed(
    session: Session, device: Device, functions: Sequence[str]
) -> dict[int, int | None]:
    """Return the memory of processes in bytes by their pid; None if it is unknown."""
    memory: dict[int, int | None] = {}
    for name in functions:
        for version in _VERSIONS:
            function = getattr(session.api, f"{name}{version}")
            entries = session.value(function, device.handle)
            # Drivers before 510 have only the older version.
            if entries is not None:
                memory.update((entry.pid, entry.usedGpuMemory) for entry in entries)
                break
    return memory
