"""Processes of jobs: how they are identified, found after a restart, and killed.

Every process of a job has `RISEML_JOB_KEY=<key>` in its environment. On Linux its
supervising shell is also the reaper of all its descendants: a daemon that detaches
itself (fork, setsid, fork again) becomes a child of that shell. While the shell lives,
its children are therefore all processes of the job, even if they changed their
environment, and no search is necessary.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator

# Type checkers take this name as true. Loading `typing` itself would be slow.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import psutil

KEY = "RISEML_JOB_KEY"
LINUX = sys.platform == "linux"

# A sweep ends only after several rounds without a process, because a supervisor may be
# about to start a step.
_IDLE_ROUNDS = 3
_PAUSE_SECONDS = 0.001
# A process may take so long from fork to exec, and a supervisor from its pid file to
# its first step.
_EXEC_SECONDS = 0.5
_START_SECONDS = 1.0
# How often the environment of a process in the middle of exec is read again.
_READ_ATTEMPTS = 50
_KERNEL_THREAD = 0x00200000


def boot_id() -> str:
    """Return a text that differs after each start of the machine."""
    if not LINUX:
        return _boot_session()
    return read("/proc/sys/kernel/random/boot_id").decode().strip()


def start_time(pid: int) -> int | None:
    """Return when a process started, None if it does not run.

    The unit is ticks since boot on Linux, and seconds since 1970 elsewhere.
    """
    if not LINUX:
        process = _psutil(pid)
        return None if process is None else round(process.create_time())
    stat = _stat(pid)
    if stat is None:
        return None
    return int(stat[19])


def alive(pid: int, start: int, boot: str) -> bool:
    """Return whether the process with this pid, start time and boot id still runs."""
    current_start = start_time(pid)
    if current_start is None or boot != boot_id():
        return False
    # Without /proc, the start time is computed from a clock that may be adjusted.
    tolerance = 0 if LINUX else 2
    return abs(current_start - start) <= tolerance


def exists(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    return start_time(pid) is not None


def pidfd(pid: int) -> int | None:
    """Return a descriptor that becomes readable when the process ends.

    It is None if there is no such process, or the system does not have the call.
    """
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def members(key: str) -> set[int]:
    """Return the processes whose environment contains exactly this key.

    Processes of other users cannot be seen.
    """
    if not LINUX:
        return _psutil_members(key)
    entry = f"\0{KEY}={key}\0".encode(errors="surrogateescape")
    matches: set[int] = set()
    unread: Iterable[int] = map(int, filter(str.isdigit, os.listdir("/proc")))
    for _ in range(_READ_ATTEMPTS):
        unread = _add_matches(unread, entry, matches)
        if not unread:
            break
        time.sleep(_PAUSE_SECONDS)
    return matches


def _add_matches(pids: Iterable[int], entry: bytes, matches: set[int]) -> list[int]:
    """Add the pids whose environment contains an entry; return those in exec."""
    in_exec = []
    for pid in pids:
        environment = _environment(pid)
        if environment:
            if entry in environment:
                matches.add(pid)
        elif environment is not None and _in_exec(pid):
            in_exec.append(pid)
    return in_exec


def sweep(
    key: str,
    spare: Collection[int] = (),
    *,
    supervisor: int | None = None,
    limit: float = 1.0,
) -> int:
    """Kill the processes of a job until none is left, and return how many there were.

    Processes in `spare` are not killed. While the `supervisor` lives, the sweep is
    cheap and complete; it is spared, and gets a TERM so that it starts no further step.
    Processes that cannot die, for instance because of a hung network disk, are left
    after `limit` seconds.
    """
    spared = {*spare, os.getpid()}
    killed = set[int]()
    start = time.monotonic()
    if supervisor is not None:
        spared.add(supervisor)
        if _ready(supervisor, key):
            _mark_stopped(supervisor)
            _signal(os.kill, supervisor, signal.SIGTERM)
            # The job may have stopped its whole process group.
            _signal(os.kill, supervisor, signal.SIGCONT)
    idle_rounds = 0
    while idle_rounds < _IDLE_ROUNDS:
        remaining = _remaining(key, supervisor) - spared
        elapsed = time.monotonic() - start
        starting = set[int]()
        if elapsed < _EXEC_SECONDS:
            starting = _before_exec(remaining, supervisor)
        victims = _kill_all(remaining - starting, key)
        killed |= victims
        if elapsed > limit:
            break
        if victims or starting:
            idle_rounds = 0
            time.sleep(_PAUSE_SECONDS)
        else:
            idle_rounds += 1
            time.sleep(_PAUSE_SECONDS / 4)
    return len(killed)


def terminate(pid: int, key: str) -> bool:
    """Send TERM to the process group of a job, as on the cluster.

    The supervisor `pid` only records the signal. Return False if it is gone.
    """
    if not _ready(pid, key):
        return False
    _mark_stopped(pid)
    _signal(os.killpg, pid, signal.SIGTERM)
    return True


def _ready(pid: int, key: str) -> bool:
    """Return whether a process is the supervisor of a job.

    A process that has just been forked gets the time to become the supervisor.
    """
    end = time.monotonic() + _START_SECONDS
    while exists(pid) and time.monotonic() < end:
        current_key = key_of(pid)
        if current_key not in (key, None):
            return False
        # Before it handles TERM, the signal would end it without a record.
        if current_key == key and _handles_term(pid, b"SigCgt"):
            return True
        time.sleep(_PAUSE_SECONDS)
    return False


def _mark_stopped(supervisor: int) -> None:
    """Make the file for a step that misses TERM (see supervise.sh)."""
    try:
        if LINUX:
            directory = f"/proc/{supervisor}/cwd"
        else:
            directory = _psutil_directory(supervisor)
        os.close(os.open(f"{directory}/stop", os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError:
        # The disk is full: only a step that starts at this moment misses the signal.
        return


def _remaining(key: str, supervisor: int | None) -> set[int]:
    """Return the processes of a job; descendants with another job's key are excluded."""
    if supervisor is None or not _reaps(supervisor, key):
        return members(key)
    pids = set()
    for pid in _children(supervisor):
        if key_of(pid) in (key, None) and exists(pid):
            pids.add(pid)
    return pids


def _before_exec(pids: Iterable[int], supervisor: int | None) -> set[int]:
    if supervisor is None or not LINUX:
        return set()
    return {pid for pid in pids if _is_before_exec(pid, supervisor)}


def _is_before_exec(pid: int, supervisor: int) -> bool:
    """Return whether a process is between fork and exec.

    It may become a step, but also the supervisor's own sweep. Until then it is a copy
    of the supervisor. The supervisor's timers are copies too, but ignore TERM. A
    process without a command line is in the middle of exec.
    """
    try:
        command = read(f"/proc/{pid}/cmdline")
        is_copy = command == read(f"/proc/{supervisor}/cmdline")
    except OSError:
        return False
    if not command:
        return True
    return is_copy and not _handles_term(pid, b"SigIgn")


def _kill_all(pids: Iterable[int], key: str) -> set[int]:
    """Kill processes of a job, and return those that got the signal."""
    # A pid may belong to another process by now, so its key is read right before.
    return {
        pid
        for pid in pids
        if key_of(pid) in (key, None) and _signal(os.kill, pid, signal.SIGKILL)
    }


def _reaps(pid: int, key: str) -> bool:
    if not LINUX or key_of(pid) != key:
        return False
    return os.path.exists(_children_file(pid)) and exists(pid)


def _children(pid: int) -> Iterator[int]:
    try:
        yield from map(int, read(_children_file(pid)).split())
    except OSError:
        return


def _children_file(pid: int) -> str:
    return f"/proc/{pid}/task/{pid}/children"


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> bool:
    """Send a signal to a process, which may just end; return whether it got it."""
    try:
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def key_of(pid: int) -> str | None:
    """Return the key in a process's environment.

    It is None if the environment has no key or cannot be read.
    """
    if not LINUX:
        return _psutil_key(pid)
    environment = _environment(pid) or b""
    _, prefix, tail = environment.partition(f"\0{KEY}=".encode())
    if not prefix:
        return None
    return os.fsdecode(tail.partition(b"\0")[0])


def _environment(pid: int) -> bytes | None:
    """Return a process's environment with NUL before and after each entry.

    It is None if the environment cannot be read, and empty in the middle of exec.
    """
    try:
        environment = read(f"/proc/{pid}/environ")
    except OSError:
        return None
    return b"\0%s\0" % environment if environment else b""


def _in_exec(pid: int) -> bool:
    """Return whether a process with an empty environment is going to have one."""
    stat = _stat(pid)
    if stat is None:
        return False
    return not int(stat[6]) & _KERNEL_THREAD


def _stat(pid: int) -> list[bytes] | None:
    """Return the fields of /proc/PID/stat, beginning with the third one, the state.

    It is None if the process does not exist or is dead.
    """
    try:
        fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else fields


def _handles_term(pid: int, mask_name: bytes) -> bool:
    """Return whether a process catches (`SigCgt`) or ignores (`SigIgn`) TERM."""
    if not LINUX:
        return True
    try:
        status = read(f"/proc/{pid}/status")
    except OSError:
        return False
    mask = status.partition(b"\n%s:" % mask_name)[2].split(None, 1)
    return bool(mask) and bool(int(mask[0], 16) >> (signal.SIGTERM - 1) & 1)


def read(path: str) -> bytes:
    """Return the content of a file of /proc; this takes a third of the time that `open` takes.

    Raises:
        OSError: the process has ended, or belongs to another user.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = block = os.read(file, 1 << 16)
        while block and len(block) % 4096 == 0:
            block = os.read(file, 1 << 16)
            data += block
    finally:
        os.close(file)
    return data


def _boot_session() -> str:
    """Return macOS's name of this boot; its boot time changes with the clock."""
    import ctypes  # noqa: PLC0415

    text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
    ctypes.CDLL(None).sysctlbyname(
        b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0
    )
    return text.value.decode()


def _psutil(pid: int) -> "psutil.Process | None":
    """Return a running process on a system without /proc."""
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
    """Sweep for a supervisor: the arguments are its job's key and its pid.

    The exit status is 1 if a process is left.
    """
    key, supervisor = sys.argv[1], int(sys.argv[2])
    sweep(key, supervisor=supervisor, limit=10.0)
    raise SystemExit(bool(_remaining(key, supervisor) - {os.getpid(), supervisor}))
