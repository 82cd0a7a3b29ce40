"""Filter between a job that has secrets and its log: a process that masks them.

    job ──▶ pipe ──▶ filter ──▶ log

The forkserver forks it before the job, so it outlives the supervisor and exits with the
last process that can write. Until then it holds a lock in the job's directory, which
tells the controller that the log is not complete.
"""

import fcntl
import os
import time

from riseml import masking
from riseml.engines.local.jobs import attributes, file_locks

_FILE = "masking"
_SUFFIX = b"/" + _FILE.encode()
_WRITE_SECONDS = 5.0
_RETRY_SECONDS = 0.1


def start(log: int, secrets: tuple[bytes, ...], directory: bytes) -> tuple[int, int]:
    """Start a filter for one log; return its pid and the descriptor that the job writes to.

    The caller's descriptor of the log is closed.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    lock = os.open(directory + _SUFFIX, flags, 0o600)
    fcntl.flock(lock, fcntl.LOCK_SH)
    source, target = _pipe(directory)
    pid = os.fork()
    if not pid:
        _become(source, log, lock, secrets)
    for descriptor in (source, log, lock):
        os.close(descriptor)
    return pid, target


def _pipe(directory: bytes) -> tuple[int, int]:
    """Return both ends of a pipe; a container finds it in the folder that it has."""
    folder = os.path.join(directory, b"container")
    if not os.path.isdir(folder):
        return os.pipe()
    path = os.path.join(folder, b"log")
    if not os.path.exists(path):
        os.mkfifo(path, 0o600)
    source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    target = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.set_blocking(source, True)
    return source, target


def is_running(directory: str) -> bool:
    """Return whether a filter of a job has not written everything yet."""
    lock = os.path.join(directory, _FILE)
    return file_locks.is_free(lock, file_locks.EXCLUSIVE) is False


def _become(source: int, log: int, lock: int, secrets: tuple[bytes, ...]) -> None:
    """Turn this process into a filter; never return."""
    try:
        # Above all the lock of the home would stay held until the job's end.
        attributes.close_descriptors({source, log, lock})
        # A signal to the group of the launcher must not end it.
        os.setsid()
        masker = masking.Masker(masking.forms(secrets))
        masking.copy(source, masker, _Log(log).write)
        os._exit(0)
    finally:
        os._exit(1)


class _Log:
    """Log that may be on a full disk.

    What cannot be written after a while is dropped, and a later line says so.
    """

    def __init__(self, log: int) -> None:
        self._log = log
        self._lost = 0

    def write(self, data: bytes) -> None:
        """Write data, if possible."""
        if self._lost:
            note = b"\nriseml: %d bytes of output could not be written here\n"
            if self._unwritten(note % self._lost, 0.0):
                self._lost += len(data)
                return
        self._lost = self._unwritten(data, _WRITE_SECONDS)

    def _unwritten(self, data: bytes, seconds: float) -> int:
        """Try to write for some seconds; return how many bytes are left."""
        end = time.monotonic() + seconds
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._log, view) :]
            except OSError:
                if time.monotonic() >= end:
                    break
                time.sleep(_RETRY_SECONDS)
        return len(view)
