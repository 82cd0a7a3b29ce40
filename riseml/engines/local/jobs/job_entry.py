"""Process that becomes a command inside a job: it enters the job's namespaces, then runs it.

The parent writes a marshalled `Entry` to a pipe, since arguments of processes are
public and environments may contain secrets.
"""

import errno
import fcntl
import marshal
import os
import signal
import sys
import termios

from riseml.engines.local.jobs import mount_calls

Entry = tuple[int, tuple[str, ...], dict[str, str], str, int, bool]
"""Pid of a process of the job, words of the command, environment, working directory,
umask, and whether standard input becomes the terminal of this session."""

# The user namespace has to be entered first: it gives the right to enter the others.
_NAMESPACES = ("user", "net", "mnt")
_NOT_STARTED, _NOT_FOUND = 126, 127
_SUBJECT = b"the namespaces of a job"


def main() -> None:
    """Become the command; the argument is the descriptor of the pipe."""
    pipe = os.fdopen(int(sys.argv[1]), "rb")
    # The data is safe to load, because the command line of this user wrote it.
    entry: Entry = marshal.loads(pipe.read())  # noqa: S302
    pipe.close()
    pid, words, environment, directory, umask, is_terminal = entry
    try:
        enter(pid)
        os.chdir(directory)
    except OSError as error:
        _fail(f"the job cannot be entered: {error.strerror}", _NOT_STARTED)
    os.umask(umask)
    if is_terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # Python ignores them, and its handlers of other signals end with it.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    become(words, environment)


def enter(pid: int, namespaces: tuple[str, ...] = _NAMESPACES) -> None:
    """Move this process into namespaces of another one, as far as they differ.

    Raises:
        OSError: that process has ended, or the system does not allow it.
    """
    if sys.platform != "linux":
        return
    descriptors = []
    for name in namespaces:
        path = f"/proc/{pid}/ns/{name}"
        if os.readlink(path) != os.readlink(f"/proc/self/ns/{name}"):
            descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    for descriptor in descriptors:
        mount_calls.check(mount_calls.libc().setns(descriptor, 0), "setns", _SUBJECT)
        os.close(descriptor)


def become(words: tuple[str, ...], environment: dict[str, str]) -> None:
    """Run a command in place of this process; say why if that is not possible."""
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            _fail(f"the job has no command {words[0]}", _NOT_FOUND)
        _fail(f"the command {words[0]} cannot be run: {error.strerror}", _NOT_STARTED)
    except ValueError:
        _fail("a command cannot contain a NUL byte", _NOT_STARTED)


def _fail(reason: str, status: int) -> None:
    os.write(2, os.fsencode(f"riseml: {reason}\n"))
    os._exit(status)
