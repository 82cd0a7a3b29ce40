"""All processes of this machine at one time: parent, start, CPU time and memory of each.

One file per process has all of that, so a look at a thousand processes takes some
milliseconds. Other systems than Linux have psutil.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from riseml.engines.local.jobs import processes

ROOT = "/proc"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_KB = 1024
# The parent of all kernel threads
_KTHREADD = 2


class Process(NamedTuple):
    """One process.

    `cpu` is its CPU time in seconds, with that of the ended processes that it has waited
    for. `rss` are the bytes that it has in memory, shared ones as well.
    """

    pid: int
    parent: int
    start: int
    cpu: float
    rss: int


class DiskBytes(NamedTuple):
    """Bytes that a process has read from disks and written to them, since its start."""

    read: int
    written: int


class NetBytes(NamedTuple):
    """Bytes that a network namespace has received and sent, without the loopback."""

    received: int
    sent: int


def read(root: str = ROOT) -> dict[int, Process]:
    """Return all processes by pid, without those of the kernel."""
    if not processes.LINUX:
        return {process.pid: process for process in _by_psutil()}
    table = {}
    # This takes half the time of `Path.iterdir`.
    for name in os.listdir(root):  # noqa: PTH208
        if name.isdigit():
            process = _parse(int(name), _content(f"{root}/{name}/stat"))
            if process is not None:
                table[process.pid] = process
    return table


def _parse(pid: int, stat: bytes) -> Process | None:
    """Return the process that a line of `stat` describes, None for the kernel's own."""
    # The name of the program may contain blanks and parentheses.
    fields = stat.rpartition(b")")[2].split()
    if not fields or int(fields[1]) == _KTHREADD:
        return None
    ticks = sum(map(int, fields[11:15]))
    rss = int(fields[21]) * _PAGE
    return Process(pid, int(fields[1]), int(fields[19]), ticks / _TICKS, rss)


def key_of(pid: int, root: str = ROOT) -> str | None:
    """Return the job's key in a process's environment, None if there is none or it cannot be read."""
    if not processes.LINUX:
        return processes.key_of(pid)
    environment = b"\0" + _content(f"{root}/{pid}/environ")
    _, prefix, tail = environment.partition(f"\0{processes.KEY}=".encode())
    return os.fsdecode(tail.partition(b"\0")[0]) if prefix else None


def proportional_memory(pid: int, root: str = ROOT) -> int | None:
    """Return the memory of a process in bytes, None if it cannot be read.

    A page that n processes share counts as an nth. The kernel walks all pages for this:
    about 25 ms for each GB.
    """
    if not processes.LINUX:
        return None
    for line in _content(f"{root}/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * _KB
    return None


def disk_bytes(pid: int, root: str = ROOT) -> DiskBytes | None:
    """Return what a process and those that it has waited for have read and written."""
    values = {}
    for line in _content(f"{root}/{pid}/io").splitlines():
        name, _, value = line.partition(b": ")
        values[name] = int(value)
    if b"read_bytes" not in values:
        return None
    return DiskBytes(values[b"read_bytes"], values[b"write_bytes"])


def net_bytes(pid: int, root: str = ROOT) -> NetBytes | None:
    """Return what the network namespace of a process has received and sent."""
    received = sent = 0
    lines = _content(f"{root}/{pid}/net/dev").splitlines()[2:]
    for line in lines:
        interface, _, counters = line.partition(b":")
        if interface.strip() != b"lo":
            numbers = counters.split()
            received += int(numbers[0])
            sent += int(numbers[8])
    return NetBytes(received, sent) if lines else None


def _content(path: str) -> bytes:
    """Return the content of a small file, empty if it cannot be read."""
    try:
        return processes.read(path)
    except OSError:
        return b""


def _by_psutil() -> Iterator[Process]:
    import psutil  # noqa: PLC0415

    names = ["pid", "ppid", "create_time", "cpu_times", "memory_info"]
    for item in psutil.process_iter(names):
        info = item.info
        # Processes of other users
        if info["cpu_times"] is None or info["memory_info"] is None:
            continue
        yield Process(
            info["pid"],
            info["ppid"],
            round(info["create_time"]),
            sum(info["cpu_times"][:4]),
            info["memory_info"].rss,
        )
