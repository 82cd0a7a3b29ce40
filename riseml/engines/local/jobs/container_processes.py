"""Processes of containers, as this machine sees them in /proc."""

import os
import signal

from riseml.engines.local.jobs import processes

NAME = "RISEML_CONTAINER"
"""Variable of a container's processes: the name of the container."""


def find_first(key: str, name: str) -> int:
    """Return the pid of the first process of a job's container, 0 if there is none."""
    entry = f"\0{NAME}={name}\0".encode()
    for pid in processes.members(key):
        try:
            is_inside = entry in b"\0" + _read(pid, "environ")
        except OSError:
            # It ends right now, or belongs to another user.
            continue
        if is_inside and _is_first(pid):
            return pid
    return 0


def children(pid: int) -> list[int]:
    """Return the children of a process that has one thread; none if it has ended."""
    try:
        return list(map(int, _read(pid, f"task/{pid}/children").split()))
    except OSError:
        return []


def kill_monitor(supervisor: int, name: str) -> bool:
    """Kill conmon, and what is below it; return whether a container of this name had it.

    It is below the supervisor of its job.
    """
    monitor = find_monitor(supervisor, name)
    if not monitor:
        return False
    for pid in (*children(monitor), monitor):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return True


def find_monitor(supervisor: int, name: str) -> int:
    """Return the pid of the conmon of a container, 0 if there is none."""
    for pid in children(supervisor):
        try:
            words = _read(pid, "cmdline").split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"conmon") and name.encode() in words:
            return pid
    return 0


def _is_first(pid: int) -> bool:
    """Return whether a process is the first one of its own pid namespace."""
    line = _read(pid, "status").partition(b"\nNSpid:")[2].partition(b"\n")[0]
    pids = line.split()
    return len(pids) > 1 and pids[-1] == b"1"


def _read(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()
