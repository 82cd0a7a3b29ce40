"""Processes that listen at TCP ports of this machine, from /proc.

    /proc/net/tcp: port, inode ──▶ /proc/PID/fd: socket:[inode] ──▶ PID ──▶ its environment

Only processes of the same user can be seen. On systems without /proc there are none.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from riseml.engines.local.jobs import processes

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTEN = "0A"
_STATE, _INODE = 3, 9
_MAX_COMMAND = 100


class Listener(NamedTuple):
    """A process that listens; key and experiment are empty if no job started it."""

    port: int
    pid: int
    key: str
    experiment: str
    command: str


def listeners(port: int | None = None) -> list[Listener]:
    """Return the processes that listen at a port, or at any port if it is None."""
    ports = dict(_sockets(port))
    if not ports:
        return []
    results = []
    for pid, inode in _owners():
        if inode in ports:
            variables = processes.variables(pid)
            listener = Listener(
                ports[inode],
                pid,
                variables.get(processes.KEY, ""),
                variables.get("RISEML_EXPERIMENT", ""),
                _command(pid),
            )
            results.append(listener)
    return results


def _sockets(port: int | None) -> Iterator[tuple[str, int]]:
    """Yield inode and port of the listening sockets."""
    for table in _TABLES:
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        for line in lines[1:]:
            fields = line.split()
            local_port = int(fields[1].rpartition(":")[2], 16)
            if fields[_STATE] == _LISTEN and port in (None, local_port):
                yield fields[_INODE], local_port


def _owners() -> Iterator[tuple[int, str]]:
    """Yield the processes that have sockets, with the inode of each."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            descriptors = list((process / "fd").iterdir())
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                target = str(descriptor.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                yield int(process.name), target[len("socket:[") : -1]


def _command(pid: int) -> str:
    """Return the beginning of a process's command line."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return os.fsdecode(b" ".join(words)).strip()[:_MAX_COMMAND]
