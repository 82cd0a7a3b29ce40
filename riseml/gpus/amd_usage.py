"""Use of AMD's GPUs, from files of the kernel."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from riseml.gpus import amd
from riseml.gpus.amd import Node
from riseml.gpus.gpu import Gpu
from riseml.gpus.records import GpuProcess, Reading, UsageSample, scaled, share
from riseml.gpus.system import System

_DEVICES = Path("sys/bus/pci/devices")
_PROCESSES = Path("sys/class/kfd/kfd/proc")


def readings(system: System, gpus: Sequence[Gpu]) -> list[Reading]:
    """Return the readings of these GPUs."""
    return [_reading(system, gpu) for gpu in gpus]


def processes(system: System, gpus: Sequence[Gpu]) -> list[GpuProcess]:
    """Return the processes that compute on these GPUs; those that draw are not listed."""
    holders: list[GpuProcess] = []
    for gpu, node, folder in _uses(system, gpus):
        mem = _number(system, folder / f"vram_{node.number}")
        if mem:
            holders.append(GpuProcess(gpu.id, int(folder.name), mem))
    return holders


def samples(system: System, gpus: Sequence[Gpu], now: float) -> list[UsageSample]:
    """Return what processes use of these GPUs now."""
    used: list[UsageSample] = []
    for gpu, node, folder in _uses(system, gpus):
        units = _number(system, folder / f"stats_{node.number}/cu_occupancy")
        if units is not None:
            share_of_units = min(units / max(node.units, 1), 1.0)
            used.append(UsageSample(gpu.id, int(folder.name), now, share_of_units))
    return used


def _reading(system: System, gpu: Gpu) -> Reading:
    device = _DEVICES / gpu.bus
    sensors = next(iter(system.entries(device / "hwmon")), device)
    # Newer cards report the present power instead of a mean.
    microwatts = _number(system, sensors / "power1_average")
    if microwatts is None:
        microwatts = _number(system, sensors / "power1_input")
    millidegrees = _number(system, sensors / "temp1_input")
    return Reading(
        gpu=gpu.id,
        utilization=share(_number(system, device / "gpu_busy_percent")),
        memory_traffic=share(_number(system, device / "mem_busy_percent")),
        mem_used=_number(system, device / "mem_info_vram_used"),
        mem_total=_number(system, device / "mem_info_vram_total") or gpu.mem or None,
        power=scaled(microwatts, 1_000_000),
        temperature=scaled(millidegrees, 1000),
    )


def _uses(system: System, gpus: Sequence[Gpu]) -> Iterator[tuple[Gpu, Node, Path]]:
    """Yield each GPU, with its node and the folder of each process that computes."""
    if not gpus:
        return
    by_bus = {gpu.bus: gpu for gpu in gpus}
    nodes = amd.topology(system)
    for folder in _folders(system):
        for node in nodes:
            if node.bus in by_bus:
                yield by_bus[node.bus], node, folder


def _folders(system: System) -> list[Path]:
    """Return the folders of the processes that compute on cards of AMD."""
    return [path for path in system.entries(_PROCESSES) if path.name.isdigit()]


def _number(system: System, file: Path) -> int | None:
    text = system.read(file)
    return int(text) if text.isdigit() else None
