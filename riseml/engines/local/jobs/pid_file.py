"""File `pid` of a job's directory: its start, its ends, and what its processes used.

    <pid> <start time> <boot id> <time>    the launcher, before the first step
    begun                                  the supervisor, before the first step
    <status> <step>[ alone]                the supervisor, at the end
    usage <CPU seconds> <bytes>            the supervisor's parent, when it has reaped it

The last line has the CPU time of all processes, and the memory of the largest one.
"""

import os
import sys

# Type checkers take this name as true. The module is loaded in a small process.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage

_USAGE = b"usage "
# macOS counts bytes.
_BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024


def read(directory: str) -> tuple[list[bytes], float]:
    """Return the complete lines without that of the usage, and when the last of them was written."""
    lines, modified = _lines(directory)
    return [line for line in lines if not line.startswith(_USAGE)], modified


def usage(directory: str) -> tuple[float, int] | None:
    """Return the CPU time of a job in seconds, and the memory of its largest process in bytes.

    It is None before the supervisor was reaped, or if its parent could not record it.
    """
    lines, _ = _lines(directory)
    for line in lines:
        if line.startswith(_USAGE):
            seconds, memory = line.removeprefix(_USAGE).split()
            return float(seconds), int(memory)
    return None


class UsageRecords:
    """Records what jobs have used, for the process that reaps their supervisors."""

    def __init__(self) -> None:
        self._directories: dict[int, bytes] = {}
        # The last process that was reaped before anything was known of it
        self._early: tuple[int, struct_rusage] | None = None

    def expect(self, pid: int, directory: bytes) -> None:
        """Note the directory of a supervisor that was just forked, and may have ended."""
        self._directories[pid] = directory
        if self._early is not None and self._early[0] == pid:
            self.record(*self._early)

    def record(self, pid: int, used: "struct_rusage") -> None:
        """Record what a process and its descendants used, if it is a supervisor."""
        directory = self._directories.pop(pid, None)
        if directory is None:
            self._early = (pid, used)
            return
        _append(directory, used.ru_utime + used.ru_stime, used.ru_maxrss)


def _append(directory: bytes, cpu_seconds: float, max_rss: int) -> None:
    """Append what the processes of a job used; `max_rss` is in the kernel's units.

    What cannot be recorded is skipped: the directory may be gone, or the disk full.
    """
    line = b"%s%.3f %d\n" % (_USAGE, cpu_seconds, max_rss * _BYTES_PER_UNIT)
    path = directory + b"/pid"
    try:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except OSError:
        return
    try:
        # The time of the file is that of the job's end.
        status = os.fstat(file)
        os.write(file, line)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError:
        return
    finally:
        os.close(file)


def _lines(directory: str) -> tuple[list[bytes], float]:
    try:
        with open(f"{directory}/pid", "rb") as file:  # noqa: PTH123
            return file.read().split(b"\n")[:-1], os.fstat(file.fileno()).st_mtime
    except OSError:
        return [], 0.0
