"""Use of NVIDIA's GPUs, from nvidia-smi."""

from collections.abc import Iterator, Sequence

from riseml.gpus.gpu import Gpu
from riseml.gpus.nvidia_smi import NAME, bytes_of_mib, number, query
from riseml.gpus.records import GpuProcess, Reading, UsageSample, share
from riseml.gpus.system import System
from riseml.gpus.visibility import named

_READING = (
    "index", "uuid", "utilization.gpu", "utilization.memory", "memory.used", "memory.total",
    "power.draw", "temperature.gpu",
)  # fmt: skip
_PROCESS = ("gpu_uuid", "pid", "used_memory")


def readings(system: System, gpus: Sequence[Gpu]) -> list[Reading]:
    """Return the readings of these GPUs; slices have none.

    Raises:
        DriverError: nvidia-smi is not there or fails.
    """
    values: list[Reading] = []
    for row in query(system, "gpu", _READING):
        for gpu in _named_by(row["uuid"], row["index"], gpus):
            reading = Reading(
                gpu=gpu.id,
                utilization=share(number(row["utilization.gpu"])),
                memory_traffic=share(number(row["utilization.memory"])),
                mem_used=bytes_of_mib(row["memory.used"]),
                mem_total=bytes_of_mib(row["memory.total"]),
                power=number(row["power.draw"]),
                temperature=number(row["temperature.gpu"]),
            )
            values.append(reading)
    return values


def processes(system: System, gpus: Sequence[Gpu]) -> list[GpuProcess]:
    """Return the processes that compute on these GPUs; those that draw are not listed.

    Raises:
        DriverError: nvidia-smi is not there or fails.
    """
    indices = {row["uuid"]: row["index"] for row in query(system, "gpu", _READING[:2])}
    holders: list[GpuProcess] = []
    for row in query(system, "compute-apps", _PROCESS):
        if not row["pid"].isdigit():
            continue
        uuid = row["gpu_uuid"]
        for gpu in _named_by(uuid, indices.get(uuid, ""), gpus):
            mem = bytes_of_mib(row["used_memory"])
            holders.append(GpuProcess(gpu.id, int(row["pid"]), mem))
    return holders


def samples(system: System, gpus: Sequence[Gpu], now: float) -> list[UsageSample]:
    """Return what processes use of these GPUs now.

    Raises:
        DriverError: nvidia-smi is not there or fails.
    """
    uuids = {row["index"]: row["uuid"] for row in query(system, "gpu", _READING[:2])}
    used: list[UsageSample] = []
    for row in _rows(system.output(NAME, "pmon", "-c", "1", "-s", "u")):
        sm = share(number(row["sm"]))
        if sm is None or not row["pid"].isdigit():
            continue
        for gpu in _named_by(uuids.get(row["gpu"], ""), row["gpu"], gpus):
            sample = UsageSample(
                gpu.id, int(row["pid"]), now, sm, share(number(row["mem"]))
            )
            used.append(sample)
    return used


def _rows(text: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table whose first line, after `#`, names the columns."""
    lines = text.splitlines()
    columns = lines[0].lstrip("# ").split() if lines else []
    for line in lines:
        if not line.startswith("#"):
            yield dict(zip(columns, line.split(), strict=False))


def _named_by(uuid: str, index: str, gpus: Sequence[Gpu]) -> list[Gpu]:
    """Return the GPUs whose ids name the card with this UUID and index."""
    card = Gpu(uuid, int(index) if index.isdigit() else -1)
    return [gpu for gpu in gpus if named(gpu.id, [card])]
