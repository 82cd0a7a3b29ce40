"""The processes of jobs: told apart by a key in their environment, found again after a restart, ended for good.

Every process of a job carries `RISEML_JOB_KEY=<key>`. On Linux its supervising shell is also the reaper of all its
descendants: what a daemon does to get away (fork, setsid, fork again) makes it a child of that shell. So while the
shell lives, its children are all there is, whatever they did to their environment, and nobody has to search.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator

# What type checkers know as true; typing itself is slow to load
TYPE_CHECKING = False
if TYPE_CHECKING:
    import psutil

KEY = "RISEML_JOB_KEY"
LINUX = sys.platform == "linux"
# That find nothing, before it is believed: a supervisor may be about to start a step
_LOOKS = 3
# Seconds between looks
_PAUSE = 0.001
# Seconds that a process may take from fork to exec
_EXEC = 0.5
# Seconds that a supervisor may take from its pid file to its first step
_START = 1.0
# Looks at processes that show no environment
_PATIENCE = 50
_KERNEL_THREAD = 0x00200000


def boot_id() -> str:
    """Return what changes with each start of the machine."""
    if not LINUX:
        return _boot_session()
    return _read("/proc/sys/kernel/random/boot_id").decode().strip()


def start_time(pid: int) -> int | None:
    """Return when a process started: ticks since boot, elsewhere seconds since 1970; None when there is none."""
    if not LINUX:
        process = _psutil(pid)
        return None if process is None else round(process.create_time())
    stat = _stat(pid)
    return None if stat is None or stat[0] in b"ZX" else int(stat[19])


def alive(pid: int, start: int, boot: str) -> bool:
    """Whether the process that had this pid, start time and boot id still runs."""
    now = start_time(pid)
    return (
        now is not None
        and abs(now - start) <= (0 if LINUX else 2)
        and boot == boot_id()
    )


def exists(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent does not."""
    return start_time(pid) is not None


def pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None where there is no such process or call."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def members(key: str) -> set[int]:
    """Return the processes whose environment holds exactly this key; those of other users cannot be seen."""
    if not LINUX:
        return _psutil_members(key)
    entry = f"\0{KEY}={key}\0".encode(errors="surrogateescape")
    found: set[int] = set()
    unsure = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    for _ in range(_PATIENCE):
        seen = {pid: _environment(pid) for pid in unsure}
        found |= {
            pid
            for pid, environment in seen.items()
            if environment and entry in environment
        }
        unsure = {
            pid
            for pid, environment in seen.items()
            if environment == b"" and _in_exec(pid)
        }
        if not unsure:
            break
        time.sleep(_PAUSE)
    return found


def sweep(
    key: str,
    spare: Collection[int] = (),
    *,
    since: int | None = None,
    limit: float = 1.0,
) -> int:
    """Kill the processes of a job until none is left, but for `spare`; return how many were killed.

    `since` is the job's supervisor: it is spared too, and while it lives the sweep is cheap and complete. It gets a
    TERM, so that it starts nothing more. What cannot die (a hung network disk) is left after `limit` seconds.
    """
    spared, killed = {*spare, os.getpid()}, set[int]()
    began = time.monotonic()
    if since is not None:
        spared.add(since)
        if _ready(since, key):
            _mark(since)
            # To start no further step
            _signal(os.kill, since, signal.SIGTERM)
            _signal(
                os.kill, since, signal.SIGCONT
            )  # where the job has stopped its whole process group
    looks = 0
    while looks < _LOOKS:
        remaining = _remaining(key, since) - spared
        lasted = time.monotonic() - began
        unsure = (
            {pid for pid in remaining if _in_between(pid, since)}
            if lasted < _EXEC
            else set()
        )
        victims = {
            pid
            for pid in remaining - unsure
            if key_of(pid) in (key, None) and _kill(pid)
        }
        killed |= victims
        if lasted > limit:
            break
        looks = 0 if victims or unsure else looks + 1
        time.sleep(_PAUSE if victims or unsure else _PAUSE / 4)
    return len(killed)


def terminate(pid: int, key: str) -> bool:
    """Send TERM to what a job's supervisor runs: all of its process group, as on the cluster; False if it is gone.

    The supervisor itself only takes note.
    """
    if not _ready(pid, key):
        return False
    _mark(pid)
    _signal(os.killpg, pid, signal.SIGTERM)
    return True


def _ready(pid: int, key: str) -> bool:
    """Whether a process is the supervisor of this job; one that was just forked is given the time to become it."""
    end = time.monotonic() + _START
    while (
        exists(pid) and (found := key_of(pid)) in (key, None) and time.monotonic() < end
    ):
        if found == key and _handles_term(pid, b"SigCgt"):
            # Before that, TERM would end it with no record
            return True
        time.sleep(_PAUSE)
    return False


def _mark(supervisor: int) -> None:
    """Leave the note of supervise.sh that a step which misses TERM will see."""
    try:
        directory = (
            f"/proc/{supervisor}/cwd" if LINUX else _psutil_directory(supervisor)
        )
        os.close(os.open(f"{directory}/stop", os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        # A full disk: only a step that begins at this moment will miss it
        return


def _remaining(key: str, supervisor: int | None) -> set[int]:
    """Return what is left of a job; descendants that carry another job's key are not of it."""
    if supervisor is None or not _reaps(supervisor, key):
        return members(key)
    return {
        pid
        for pid in _children(supervisor)
        if key_of(pid) in (key, None) and exists(pid)
    }


def _in_between(pid: int, supervisor: int | None) -> bool:
    """Whether a process is on its way from fork to exec: it may be a step, but also the supervisor's own sweep.

    A copy of the supervisor is, but for its timers, which ignore TERM; what shows no command is in the middle of exec.
    """
    if supervisor is None or not LINUX:
        return False
    try:
        command = _read(f"/proc/{pid}/cmdline")
        same = command == _read(f"/proc/{supervisor}/cmdline")
    except OSError:
        return False
    return not command or (same and not _handles_term(pid, b"SigIgn"))


def _reaps(pid: int, key: str) -> bool:
    return (
        LINUX
        and key_of(pid) == key
        and os.path.exists(_children_file(pid))
        and exists(pid)
    )


def _children(pid: int) -> Iterator[int]:
    try:
        yield from map(int, _read(_children_file(pid)).split())
    except OSError:
        return


def _children_file(pid: int) -> str:
    return f"/proc/{pid}/task/{pid}/children"


def _kill(pid: int) -> bool:
    return _signal(os.kill, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> bool:
    """Send a signal to what may end at this very moment; return whether it got it."""
    try:
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def key_of(pid: int) -> str | None:
    """Return the key in a process's environment, None where it has none or it cannot be seen."""
    if not LINUX:
        return _psutil_key(pid)
    _, found, rest = (_environment(pid) or b"").partition(f"\0{KEY}=".encode())
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def _environment(pid: int) -> bytes | None:
    """Return a process's environment, NUL before and after each entry; None where it cannot be seen."""
    try:
        environment = _read(f"/proc/{pid}/environ")
    except OSError:
        return None
    return b"\0%s\0" % environment if environment else b""


def _in_exec(pid: int) -> bool:
    """Whether a process that shows no environment will have one."""
    stat = _stat(pid)
    return (
        stat is not None and stat[0] not in b"ZX" and not int(stat[6]) & _KERNEL_THREAD
    )


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat from the third, the state, on."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None


def _handles_term(pid: int, how: bytes) -> bool:
    """Whether a process catches (`SigCgt`) or ignores (`SigIgn`) TERM."""
    if not LINUX:
        return True
    try:
        mask = _read(f"/proc/{pid}/status").partition(b"\n%s:" % how)[2].split(None, 1)
    except OSError:
        return False
    return bool(mask) and bool(int(mask[0], 16) >> (signal.SIGTERM - 1) & 1)


def _read(path: str) -> bytes:
    """Read a file of /proc; three times as fast as `open` does it."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = piece = os.read(file, 1 << 16)
        while piece and len(piece) % 4096 == 0:
            piece = os.read(file, 1 << 16)
            data += piece
    finally:
        os.close(file)
    return data


def _boot_session() -> str:
    """Return macOS' name for this start of the machine; its boot time moves when the clock is set."""
    import ctypes  # noqa: PLC0415

    text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    ctypes.CDLL(None).sysctlbyname(
        b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0
    )
    return text.value.decode()


def _psutil(pid: int) -> "psutil.Process | None":
    """Return a running process where there is no /proc."""
    import psutil  # noqa: PLC0415

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def _psutil_key(pid: int) -> str | None:
    import psutil  # noqa: PLC0415

    process = _psutil(pid)
    try:
        return None if process is None else process.environ().get(KEY)
    except (psutil.Error, OSError):
        return None


def _psutil_directory(pid: int) -> str:
    import psutil  # noqa: PLC0415

    try:
        return psutil.Process(pid).cwd()
    except psutil.Error as error:
        raise OSError(str(error)) from error


def _psutil_members(key: str) -> set[int]:
    import psutil  # noqa: PLC0415

    return {pid for pid in psutil.pids() if _psutil_key(pid) == key}


def main() -> None:
    """Sweep for a supervisor: arguments are its job's key and its pid. The exit status is 1 when something is left."""
    key, supervisor = sys.argv[1], int(sys.argv[2])
    sweep(key, since=supervisor, limit=10.0)
    raise SystemExit(bool(_remaining(key, supervisor) - {os.getpid(), supervisor}))
