"""Process that starts jobs: small, so that its forks cost little.

    controller ── marshalled requests ──▶ forkserver ── fork ──▶ child ── exec ──▶ sh (supervise.sh)
        ◀───────────── `<number> <pid>` or `<number> 0|-1 <reason>` ────────┘

It uses only the standard library (bare.py), and imports little of that. A child reports
its pid only after it has written its pid file. All of these processes inherit the
home's lock up to exec, so a later holder of the lock finds the pid file of every job
that was ever started.

When the controller is gone, the forkserver releases the lock and stays until its last
job has ended: the end of a job starts a controller if none runs.
"""

import errno
import fcntl
import gc
import marshal
import os
import signal
import sys
import time
from collections.abc import Callable
from io import BufferedReader

from riseml.engines.local.jobs import (
    attributes,
    file_locks,
    log_filter,
    mount_calls,
    mounts,
    network,
    pid_file,
    processes,
)

# Both types are plain tuples, because `marshal` writes no others.
Settings = tuple[bytes, str, tuple[str, ...], bytes, bytes]
"""Home, boot id, command that starts a controller, and shell text before and after the
steps of a job."""
Request = tuple[
    int,
    str,
    bytes,
    bytes,
    tuple[bytes, ...],
    tuple[mounts.Mount, ...],
    dict[bytes, mount_calls.Layers],
    tuple[bytes, bytes],
    tuple[bytes, ...],
    attributes.Attributes,
]
"""Number, key, directory, steps as shell text, paths of logs (that of the main command
first), mounts, the layers of overlays by target, file and gateway of the job's
network, the secrets that its logs must not show, and the attributes in which the job
differs from this process."""

LOCK, LOG = b"controller.lock", b"controller.log"
NEVER = b"/dev/null"
_NO_GATEWAY = (
    b"riseml: pasta does not work here, so this job reaches only its own experiment\n"
)
# A controller that dies so soon after a job's end may not know of the end.
_RECENT_SECONDS = 2.0
# A dying controller releases its lock within this time.
_RELEASE_SECONDS = 0.1
_LOCK_CHECKS = 10
# The job itself uses the descriptors below.
_FIRST_OWN_DESCRIPTOR = 32
# The machine lacks something that it may have later.
_TEMPORARY = frozenset(
    (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)
)
# Of prctl(2).
_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Serve one controller.

    The arguments are the descriptor of the home's lock, and the home, which is only
    there to be seen in a list of processes.
    """
    os.setsid()
    lock = _move(int(sys.argv[1]))
    replies = _move(1)
    os.set_blocking(replies, False)
    requests = os.fdopen(_move(0), "rb")
    null = _move(os.open(NEVER, os.O_RDWR))
    os.dup2(null, 0)
    os.dup2(null, 1)
    # It is loaded here once, and not in every child.
    mount_calls.libc()
    # The data is safe to load, because the controller of this home wrote it.
    settings: Settings = marshal.load(requests)  # noqa: S302
    server = Server(replies, settings)
    _reset_signals(server.reap)
    # There are no cycles to collect, and a collection would write to pages that forks
    # share.
    gc.disable()
    in_order = server.serve(requests)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.close(replies)
    os.close(lock)
    is_recent = time.monotonic() - server.last_end < _RECENT_SECONDS
    _guard(settings, server.usage, missed=is_recent and not in_order)


class Server:
    """Starter of jobs for one controller.

    `last_end` is when a job last ended, by the monotonic clock.
    """

    def __init__(self, replies: int, settings: Settings) -> None:
        self._replies = replies
        _, self._boot, _, self._prologue, self._epilogue = settings
        self._templates = mounts.Templates()
        self._pid = os.getpid()
        self._numbers: dict[int, int] = {}
        self.usage = pid_file.UsageRecords()
        self._newest = 0
        self.last_end = -_RECENT_SECONDS

    def serve(self, requests: BufferedReader) -> bool:
        """Start jobs until the controller is gone; return whether it exited in order."""
        while True:
            try:
                request: Request | None = marshal.load(requests)  # noqa: S302
            except (EOFError, ValueError, TypeError):
                # The controller has died, perhaps in the middle of a request.
                return False
            if request is None:
                return True
            self._start(request)

    def reap(self, *_: object) -> None:
        """Reap ended jobs, and report those that were killed.

        Such a job may not have sent its reply. A second reply does no harm.
        """
        try:
            while True:
                pid, status, used = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return
                self.usage.record(pid, used)
                # A job may end before `_start` has recorded its pid.
                number = self._numbers.pop(pid, self._newest)
                self.last_end = time.monotonic()
                if os.WIFSIGNALED(status):
                    self._reply(b"%d -1 it was killed as it started" % number)
        except ChildProcessError:
            return

    def _start(self, request: Request) -> None:
        """Fork a job.

        As much as possible happens before the fork, because a child has to copy every
        page that it changes.
        """
        number, _, directory, steps, logs, job_mounts, _, network_, secrets, _ = request
        job_network, _ = network_
        files: list[int] = []
        try:
            text = self._prologue + steps + self._epilogue
            files.append(_unnamed_file(text, directory))
            for path in logs:
                files.append(_open_log(path))
            if secrets:
                self._filter(files, secrets, directory)
            template: tuple[int, ...] = ()
            # A template's user namespace has no rights in that of a network.
            if job_mounts and not job_network:
                template = self._templates.get(job_mounts, directory)
            self._newest = number
            pid = os.fork()
            if not pid:
                self._become(request, files, template)
            self._numbers[pid] = number
            self.usage.expect(pid, directory)
        except OSError as error:
            self._reply(_refusal(number, error))
        for file in files:
            os.close(file)

    def _filter(
        self, files: list[int], secrets: tuple[bytes, ...], directory: bytes
    ) -> None:
        """Replace the logs by descriptors of filters; the first file is not a log."""
        for index in range(1, len(files)):
            pid, files[index] = log_filter.start(files[index], secrets, directory)
            # No job has this number, so nobody waits for a report about it.
            self._numbers[pid] = 0

    def _become(
        self, request: Request, files: list[int], template: tuple[int, ...]
    ) -> None:
        """Turn this process into the supervisor of a job; never return."""
        try:
            number, key, directory, _, _, job_mounts, layers, job_network, _, own = (
                request
            )
            pid_file = -1
            os.setsid()
            os.chdir(directory)
            network_file, gateway = job_network
            if network_file and not network.enter(network_file, gateway, key):
                os.write(files[1], _NO_GATEWAY)
            if job_mounts:
                mounts.enter(job_mounts, template, layers)
            if processes.LINUX:
                mount_calls.libc().prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            pid_file = _write_pid(self._boot)
            self._reply(b"%d %d" % (number, os.getpid()))
            # Standard input is the shell text. Output of the supervisor is discarded.
            for descriptor, file in enumerate((files[0], 1, 1, *files[1:])):
                os.dup2(file, descriptor)
            # The limits come last, because they hold for this process as well.
            attributes.apply(own)
            words = ("sh", "-s", key, directory, str(self._pid))
            os.execve("/bin/sh", words, _environment(key))  # noqa: S606
        except BaseException as error:  # noqa: BLE001
            # Any error must reach the controller or the job's log.
            if pid_file < 0:
                self._reply(_refusal(number, error))
            else:
                message = b"riseml: the job could not be started: %s\n"
                os.write(files[1], message % _reason(error))
                os.write(pid_file, b"126 -1\n")
        finally:
            os._exit(1)

    def _reply(self, line: bytes) -> None:
        try:
            os.write(self._replies, line + b"\n")
        except OSError:
            # The controller is gone. The next one reads the pid file.
            return


def _guard(settings: Settings, usage: pid_file.UsageRecords, *, missed: bool) -> None:
    """Wait for the jobs to end, and start a controller after an end if none runs.

    `missed` is whether a job has just ended and the controller may not know it.
    """
    while True:
        if missed:
            _restart(settings)
        missed = True
        try:
            pid, _, used = os.wait3(0)
        except ChildProcessError:
            return
        usage.record(pid, used)


def _restart(settings: Settings) -> None:
    home, _, command, _, _ = settings
    for _ in range(_LOCK_CHECKS):
        if _is_absent(home):
            break
        time.sleep(_RELEASE_SECONDS / _LOCK_CHECKS)
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
        _redirect_to_log(os.path.join(home, LOG))
        os.chdir(home)
        if processes.KEY in os.environ:
            # The first controller was started from inside a job. It and this one
            # must not be taken for processes of that job.
            os.environ[processes.KEY] = ""
        os.execv(command[0], command)  # noqa: S606
    finally:
        os._exit(1)


def _redirect_to_log(path: bytes) -> None:
    """Write all output to a log; without it, what is already the output stays."""
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        # A controller works without a log.
        return
    os.dup2(log, 1)
    os.dup2(log, 2)


def _is_absent(home: bytes) -> bool:
    """Return whether the home exists and no controller holds its lock."""
    lock = os.path.join(home, LOCK)
    return file_locks.is_free(lock, file_locks.SHARED) is True


def _reset_signals(reap: Callable[..., None]) -> None:
    """Give jobs the signal dispositions of a fresh process.

    An ancestor of this process may have ignored signals. Those that are caught here are
    reset by exec.
    """
    attributes.reset_signals()
    signal.signal(signal.SIGCHLD, reap)
    # Writes to a closed pipe, or beyond the limit of a file's size, then raise errors.
    signal.signal(signal.SIGPIPE, _do_nothing)
    signal.signal(signal.SIGXFSZ, _do_nothing)


def _do_nothing(*_: object) -> None:
    """Do nothing."""


def _write_pid(boot: str) -> int:
    """Write the line `<pid> <start time> <boot id> <time>`; return the open file.

    Raises:
        OSError: there is such a file, so this job was started before.
    """
    pid = os.getpid()
    start = processes.start_time(pid) if processes.LINUX else None
    file = os.open(b"pid", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # The time of the job's end is a file time as well, and of the same clock.
        now = os.fstat(file).st_mtime
        _write(file, b"%d %d %s %.6f\n" % (pid, start or now, boot.encode(), now))
    except OSError:
        os.unlink(b"pid")
        raise
    return file


def _open_log(path: bytes) -> int:
    """Open a log; fail rather than block, for instance on a pipe without a reader."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    flags |= os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    log = _move(os.open(path, flags, 0o666))
    os.set_blocking(log, True)
    return log


def _unnamed_file(text: bytes, directory: bytes) -> int:
    """Return a descriptor of a file without a name that contains `text`."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("job")
    else:
        path = directory + b"/script"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.unlink(path)
    _write(file, text)
    os.lseek(file, 0, os.SEEK_SET)
    return _move(file)


def _environment(key: str) -> dict[str, str]:
    environment = {processes.KEY: key}
    # The supervisor needs them to find `sleep`, and to run its Python.
    for name in ("PATH", "LD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return environment


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _move(descriptor: int) -> int:
    """Move a descriptor above those of the job, to one that exec closes."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN_DESCRIPTOR)
    os.close(descriptor)
    return moved


def _refusal(number: int, error: BaseException) -> bytes:
    """Return the reply for a job that was not started, and may be later if it says -1."""
    is_temporary = isinstance(error, OSError) and error.errno in _TEMPORARY
    return b"%d %d %s" % (number, -is_temporary, _reason(error))


def _reason(error: BaseException) -> bytes:
    text = repr(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.strerror}: {os.fsdecode(error.filename)}"
    return os.fsencode(text).replace(b"\n", b" ")[:1000]
