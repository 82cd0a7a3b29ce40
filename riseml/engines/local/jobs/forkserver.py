"""The process that starts jobs: so small that a fork of it costs little, and alive only as long as it is needed.

    controller ── marshalled requests ──▶ forkserver ── fork ──▶ child ── exec ──▶ sh (supervise.sh)
        ◀───────────── `<number> <pid>` or `<number> 0 <reason>` ────────┘

It runs with the standard library alone (bare.py), and imports little of that. A child says its pid only after its pid
file is written. The home's lock is inherited by all of them up to exec: so who gets the lock later knows that every
job that was ever started has its pid file.

When the controller is gone, it gives up the lock and stays until its last job has ended: the end of a job starts a
controller again where there is none.
"""

import fcntl
import gc
import marshal
import os
import signal
import sys
import time
from collections.abc import Callable
from io import BufferedReader

from riseml.engines.local.jobs import mounts, processes

Settings = tuple[bytes, str, tuple[str, ...], bytes, bytes]
"""Home, boot id, the command that starts a controller, what comes before and after the steps of a job."""
Request = tuple[int, str, bytes, bytes, tuple[bytes, ...], tuple[mounts.Mount, ...]]
"""Number, key, directory, the steps as shell text, paths of logs (the first is the main command's), mounts."""

LOCK, LOG = b"controller.lock", b"controller.log"
NEVER = b"/dev/null"
# Seconds: a controller that died so soon after a job's end may not have heard of it
_RECENT = 2.0
_RELEASE, _LOOKS = (
    0.1,
    10,
)  # seconds in which a dying controller lets go of its lock, looks in that time
# Descriptors below are for the job
_ABOVE = 32
_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Serve one controller; arguments are the descriptor of the home's lock, and the home for people to see."""
    os.setsid()
    lock, replies = _moved(int(sys.argv[1])), _moved(1)
    os.set_blocking(replies, False)
    requests = os.fdopen(_moved(0), "rb")
    null = _moved(os.open(NEVER, os.O_RDWR))
    os.dup2(null, 0)
    os.dup2(null, 1)
    # Loaded once, not in each child
    mounts.libc()
    # Our own controller wrote it
    settings: Settings = marshal.load(requests)  # noqa: S302
    server = Server(replies, settings)
    _reset_signals(server.reap)
    # Nothing here makes cycles, and a collection would write to pages that forks share
    gc.disable()
    in_order = server.serve(requests)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(replies)
    os.close(lock)
    _guard(
        settings, missed=not in_order and time.monotonic() - server.last_end < _RECENT
    )


class Server:
    """Starts jobs for one controller."""

    def __init__(self, replies: int, settings: Settings) -> None:
        self._replies, self._settings = replies, settings
        self._templates = mounts.Templates()
        self._pid = os.getpid()
        # Pid ──▶ number
        self._jobs: dict[int, int] = {}
        self._newest = 0
        # Of a job, by the monotonic clock
        self.last_end = -_RECENT

    def serve(self, requests: BufferedReader) -> bool:
        """Start what the controller asks for until it is gone; return whether it left in order."""
        while True:
            try:
                request: Request | None = marshal.load(requests)  # noqa: S302
            except (
                EOFError,
                ValueError,
                TypeError,
            ):  # gone, perhaps in the middle of a request
                return False
            if request is None:
                return True
            self._start(request)

    def reap(self, *_: object) -> None:
        """Take note of ended jobs. One that was killed may not have come to its answer: a second one does no harm."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                number = self._jobs.pop(
                    pid, self._newest
                )  # or it ended before its pid was on record
                self.last_end = time.monotonic()
                if os.WIFSIGNALED(status):
                    self._say(b"%d 0 it was killed as it started" % number)
        except ChildProcessError:
            return

    def _start(self, request: Request) -> None:
        """Fork a job. What can be done before is: a child's every step costs copies of the pages it touches."""
        number, _, directory, steps, logs, private = request
        files: list[int] = []
        try:
            files.append(
                _text(self._settings[3] + steps + self._settings[4], directory)
            )
            files.extend(_log(path) for path in logs)
            template = self._templates.get(private, directory) if private else ()
            self._newest = number
            pid = os.fork()
            if not pid:
                self._become(request, files, template)
            self._jobs[pid] = number
        except OSError as error:
            self._say(b"%d 0 %s" % (number, _reason(error)))
        for file in files:
            os.close(file)

    def _become(
        self, request: Request, files: list[int], template: tuple[int, ...]
    ) -> None:
        """Turn this process into the supervisor of a job; never returns. Its output goes nowhere."""
        try:
            number, key, directory, _, _, private = request
            record = -1
            os.setsid()
            os.chdir(directory)
            if private:
                mounts.enter(private, template)
            if processes.LINUX:
                mounts.libc().prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            record = _write_pid(self._settings[1])
            self._say(b"%d %d" % (number, os.getpid()))
            for place, file in enumerate((files[0], 1, 1, *files[1:])):
                os.dup2(file, place)
            words = ("sh", "-s", key, directory, str(self._pid))
            os.execve("/bin/sh", words, _environment(key))  # noqa: S606
        except BaseException as error:  # noqa: BLE001
            # Whatever it was: somebody hears of it
            if record < 0:
                self._say(b"%d 0 %s" % (number, _reason(error)))
            else:
                os.write(
                    files[1],
                    b"riseml: the job could not be started: %s\n" % _reason(error),
                )
                os.write(record, b"126 -1\n")
        finally:
            os._exit(1)

    def _say(self, line: bytes) -> None:
        try:
            os.write(self._replies, line + b"\n")
        except OSError:
            # The controller is gone; the pid file tells the next one
            return


def _guard(settings: Settings, *, missed: bool) -> None:
    """Wait for the jobs to end, and start a controller where there is none when one does."""
    while True:
        if missed:
            _restart(settings)
        missed = True
        try:
            os.wait()
        except ChildProcessError:
            return


def _restart(settings: Settings) -> None:
    home, _, command, _, _ = settings
    for _ in range(_LOOKS):
        if _absent(home):
            break
        time.sleep(_RELEASE / _LOOKS)
    else:
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        log = os.open(
            os.path.join(home, LOG), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(home)
        if (
            processes.KEY in os.environ
        ):  # it was started from inside a job, and belongs to none
            os.environ[processes.KEY] = ""
        # No shell is wanted
        os.execv(command[0], command)  # noqa: S606
    finally:
        os._exit(1)


def _absent(home: bytes) -> bool:
    """Whether nobody holds the lock of this home; where the home itself is gone, nobody is missed."""
    try:
        lock = os.open(os.path.join(home, LOCK), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _reset_signals(reap: Callable[..., None]) -> None:
    """Give jobs the dispositions of a fresh process, whatever this one's ancestors ignored: exec resets a handler."""
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                # Kept by the C library
                continue
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, reap)
    signal.signal(signal.SIGPIPE, _ignore)
    signal.signal(signal.SIGXFSZ, _ignore)


def _ignore(*_: object) -> None:
    """Do nothing: a write to nobody, or beyond the limit of a file's size, fails with an error of its own."""


def _write_pid(boot: str) -> int:
    """Write `<pid> <start time> <boot id> <time>`, complete with its line break, and return the open file.

    Raises:
        OSError: there is such a file: this job was started before.
    """
    pid = os.getpid()
    start = processes.start_time(pid) if processes.LINUX else None
    file = os.open(b"pid", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        now = os.fstat(
            file
        ).st_mtime  # by the clock of file times, as the time of its end will be
        _write(file, b"%d %d %s %.6f\n" % (pid, start or now, boot.encode(), now))
    except OSError:
        os.unlink(b"pid")
        raise
    return file


def _log(path: bytes) -> int:
    """Open a log; not what would block, like a pipe nobody reads."""
    flags = (
        os.O_WRONLY
        | os.O_CREAT
        | os.O_APPEND
        | os.O_NONBLOCK
        | os.O_NOCTTY
        | os.O_CLOEXEC
    )
    log = _moved(os.open(path, flags, 0o666))
    os.set_blocking(log, True)
    return log


def _text(text: bytes, directory: bytes) -> int:
    """Return a descriptor to read `text` from, which has no name any more."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("job")
    else:
        path = directory + b"/script"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.unlink(path)
    _write(file, text)
    os.lseek(file, 0, os.SEEK_SET)
    return _moved(file)


def _environment(key: str) -> dict[str, str]:
    # To find `sleep`, and a Python that needs it
    kept = ("PATH", "LD_LIBRARY_PATH")
    return {
        processes.KEY: key,
        **{name: os.environ[name] for name in kept if name in os.environ},
    }


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _moved(descriptor: int) -> int:
    """Move a descriptor out of the way, to one that exec closes."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
    os.close(descriptor)
    return moved


def _reason(error: BaseException) -> bytes:
    text = repr(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.strerror}: {os.fsdecode(error.filename)}"
    return os.fsencode(text).replace(b"\n", b" ")[:1000]
