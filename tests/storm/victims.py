"""The processes of a home that a storm kills, and how it recognizes them.

controller   the daemon of the home
launcher     the process that forks jobs
child        a fork of the launcher that is not yet the supervisor of a job
supervisor   the shell above a job
"""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.storm.report import Kill

CONTROLLER, LAUNCHER, CHILD, SUPERVISOR, CLIENT = (
    "controller",
    "launcher",
    "child",
    "supervisor",
    "client",
)
_PROC = Path("/proc")
_STOP_SECONDS = 1.0
_EXPERIMENT = re.compile(rb"\bRISEML_EXPERIMENT='([\d.]+)'")
_ATTEMPT = re.compile(rb"\bRISEML_ATTEMPT='(\d+)'")


class Processes:
    """The processes of one home, found in /proc."""

    def __init__(self, home: Path) -> None:
        self._home = os.fsencode(home)

    def controller(self) -> int | None:
        """Return the pid of the controller, None if none runs."""
        try:
            text = Path(os.fsdecode(self._home), "controller.lock").read_text("ascii")
            pid = int(text)
        except (OSError, ValueError):
            return None
        is_controller = b"riseml.engines.local.controller" in words(pid)
        return pid if is_controller and not is_gone(pid) else None

    def controllers(self) -> list[int]:
        """Return the pid of the controller, nothing if none runs."""
        pid = self.controller()
        return [] if pid is None else [pid]

    def launchers(self) -> list[int]:
        """Return the pids of the launchers; one that has lost its controller counts."""
        pids = []
        for pid in _pids():
            command = words(pid)
            if b"forkserver" in command and command[-1] == self._home:
                if not _is_fork(pid):
                    pids.append(pid)
        return pids

    def supervisors(self) -> list[int]:
        """Return the pids of the shells that supervise jobs."""
        runs = self._home + b"/runs/"
        pids = []
        for pid in _pids():
            command = words(pid)
            is_shell = command[:2] == [b"sh", b"-s"] and command[3].startswith(runs)
            # Its fork has the same command line until it becomes the job.
            if is_shell and _leads_session(pid):
                pids.append(pid)
        return pids

    def child(self, launcher: int, seconds: float) -> int | None:
        """Wait for the next fork of a launcher that has not become a supervisor yet."""
        limit = time.monotonic() + seconds
        children = _PROC / str(launcher) / "task" / str(launcher) / "children"
        while time.monotonic() < limit:
            try:
                pids = children.read_text("ascii").split()
            except OSError:
                return None
            # The newest fork comes last.
            if pids and _is_fork(int(pids[-1])):
                return int(pids[-1])
        return None

    def all(self) -> Iterator[tuple[int, str]]:
        """Yield every process that names the home, with its command line."""
        for pid in _pids():
            command = words(pid)
            if pid != os.getpid() and any(self._home in word for word in command):
                yield pid, b" ".join(command)[:200].decode("utf-8", "replace")


def kill(pid: int, victim: str, seconds: float) -> Kill | None:
    """Kill a process; return None if it had ended before.

    A process of a job is stopped first, so that its state is known exactly.
    """
    try:
        os.kill(pid, signal.SIGSTOP)
        is_of_job = victim in {CHILD, SUPERVISOR}
        record = _record_of_job(pid, seconds, victim) if is_of_job else None
        if is_gone(pid):
            return None
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return None
    return record or Kill(seconds, victim, pid)


def _record_of_job(pid: int, seconds: float, victim: str) -> Kill | None:
    limit = time.monotonic() + _STOP_SECONDS
    while _state(pid) not in "TtZX" and time.monotonic() < limit:
        time.sleep(0)
    script = _script(pid)
    experiment, attempt = _EXPERIMENT.search(script), _ATTEMPT.search(script)
    pid_file = Path(_PROC / str(pid) / "cwd" / "pid")
    recorded = False
    with suppress(OSError):
        recorded = pid_file.read_text("ascii").startswith(f"{pid} ")
    return Kill(
        seconds,
        victim,
        pid,
        experiment[1].decode() if experiment else "",
        int(attempt[1]) if attempt else 0,
        recorded,
    )


def _script(pid: int) -> bytes:
    """Return the text that makes a process the supervisor of its job."""
    for descriptor in (_PROC / str(pid) / "fd").iterdir():
        with suppress(OSError):
            if "memfd:job" in os.readlink(descriptor):  # noqa: PTH115
                return descriptor.read_bytes()
    return b""


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def words(pid: int) -> list[bytes]:
    """Return the command line of a process, empty if it is gone."""
    try:
        data = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return data.removesuffix(b"\0").split(b"\0")


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie has."""
    return _state(pid) in "ZX"


def _state(pid: int) -> str:
    try:
        stat = (_PROC / str(pid) / "stat").read_text("ascii", errors="replace")
    except OSError:
        return "X"
    return stat.rpartition(")")[2].split()[0]


def _parent(pid: int) -> int:
    try:
        stat = (_PROC / str(pid) / "stat").read_text("ascii", errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _is_fork(pid: int) -> bool:
    """Return whether a process is a copy of the launcher that forked it."""
    command = words(pid)
    return b"forkserver" in command and command == words(_parent(pid))


def _pids() -> Iterator[int]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            yield int(entry.name)
