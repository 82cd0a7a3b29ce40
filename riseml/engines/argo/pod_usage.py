"""Counters of a pod's container, parsed from what `usage.sh` prints in it.

Memory is that of the kubelet's working set: without cached files that the kernel can drop
at any time. The network is the pod's own.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from riseml.readings import GpuUsage

_MICROSECONDS, _NANOSECONDS = 1_000_000, 1_000_000_000
# Where the control group cannot be read, Linux counts CPU time and memory in these units.
_TICKS, _PAGE = 100, 4096
_MIB = 1 << 20
_PERCENT = 100
_GPU_FIELDS = 10
_HEADING = re.compile(r"^== (\S+)\n", re.MULTILINE)
_DISK_VERSION_2 = re.compile(r"\b(r|w)bytes=(\d+)")
_DISK_VERSION_1 = re.compile(r"^\d+:\d+ (R|W)(?:ead|rite) (\d+)$", re.MULTILINE)


class Counters(NamedTuple):
    """What a container has used so far, and its memory now; None where that is not known."""

    cpu_seconds: float | None
    mem: int | None
    disk_read: int
    disk_written: int
    net_received: int
    net_sent: int
    gpus: tuple[GpuUsage, ...]


def parse(text: str) -> Counters:
    """Return the counters in an output of `usage.sh`."""
    pieces = _HEADING.split(text)
    files = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    cpu_seconds, mem = _cpu_seconds(files), _memory(files)
    if "stat" in files:
        cpu_seconds, mem = _of_processes(files["stat"])
    read, written = _disk(files)
    received, sent = _net(files.get("net", ""))
    gpus = []
    for line in files.get("gpus", "").splitlines():
        gpus.extend(_gpus(line))
    return Counters(cpu_seconds, mem, read, written, received, sent, tuple(gpus))


def _cpu_seconds(files: Mapping[str, str]) -> float | None:
    usage = _fields(files.get("cpu.stat", "")).get("usage_usec")
    if usage is not None:
        return usage / _MICROSECONDS
    nanoseconds = files.get("cpuacct/cpuacct.usage", "").strip()
    return int(nanoseconds) / _NANOSECONDS if nanoseconds else None


def _memory(files: Mapping[str, str]) -> int | None:
    current = files.get("memory.current", "").strip()
    if current:
        cached = _fields(files.get("memory.stat", "")).get("inactive_file", 0)
        return max(0, int(current) - cached)
    current = files.get("memory/memory.usage_in_bytes", "").strip()
    if current:
        fields = _fields(files.get("memory/memory.stat", ""))
        return max(0, int(current) - fields.get("total_inactive_file", 0))
    return None


def _of_processes(stat: str) -> tuple[float, int]:
    """Return CPU time and memory of all processes; memory that they share counts several times."""
    ticks = pages = 0
    for line in stat.splitlines():
        # The name of the program may contain blanks and parentheses.
        fields = line.rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
        pages += int(fields[21])
    return ticks / _TICKS, pages * _PAGE


def _disk(files: Mapping[str, str]) -> tuple[int, int]:
    totals = {"r": 0, "w": 0}
    matches = _DISK_VERSION_2.findall(files.get("io.stat", ""))
    if not matches:
        file = files.get("blkio/blkio.throttle.io_service_bytes", "")
        matches = _DISK_VERSION_1.findall(file)
    for letter, amount in matches:
        totals[letter.lower()] += int(amount)
    return totals["r"], totals["w"]


def _net(table: str) -> tuple[int, int]:
    received = sent = 0
    for line in table.splitlines()[2:]:
        interface, _, counters = line.partition(":")
        if interface.strip() != "lo":
            numbers = counters.split()
            received += int(numbers[0])
            sent += int(numbers[8])
    return received, sent


def _gpus(line: str) -> list[GpuUsage]:
    """Return the GPU of a line of nvidia-smi; none if it is something else, such as an error."""
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != _GPU_FIELDS or not fields[1].isdigit():
        return []
    util, mem, total, power, limit, temp = map(_number, fields[4:])
    usage = GpuUsage(
        fields[0],
        int(fields[1]),
        fields[2],
        fields[3],
        util=None if util is None else util / _PERCENT,
        mem=None if mem is None else int(mem * _MIB),
        mem_total=None if total is None else int(total * _MIB),
        power=power,
        power_limit=limit,
        temp=temp,
    )
    return [usage]


def _number(text: str) -> float | None:
    """Return a number, None for `[N/A]`."""
    try:
        return float(text)
    except ValueError:
        return None


def _fields(text: str) -> dict[str, int]:
    """Return lines such as `anon 4096` as a mapping."""
    fields = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            fields[name] = int(value)
    return fields
