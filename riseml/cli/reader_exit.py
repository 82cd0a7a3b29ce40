"""Exit of a command whose reader has exited, also while there is nothing to write.

riseml logs 14 -f | grep -q done        ends with the first such line
"""

import os
import select
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A signal may arrive where an exception is lost, such as in a destructor.
_REPEAT_MILLISECONDS = 200


@contextmanager
def watched() -> Iterator[None]:
    """Raise BrokenPipeError as soon as nothing reads stdout any more, if it is a pipe.

    Without this, only the next line of output would notice.
    """
    descriptor = _pipe()
    # Only the main thread can handle signals.
    if descriptor is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    watch = _Watch(descriptor)
    try:
        with watch:
            yield
    except _ReaderExit:
        raise BrokenPipeError from None


# Code that handles errors of connections must not handle this.
class _ReaderExit(BaseException):
    """The reader of stdout has exited."""


class _Watch:
    """Thread that waits for the end of a pipe's reader, and interrupts the main thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._has_left = self._is_over = False
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._wait, daemon=True)

    def __enter__(self) -> None:
        self._earlier = signal.signal(signal.SIGPIPE, self._raise)
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._is_over = True
        os.close(self._stop)
        self._thread.join()
        os.close(self._stopped)
        signal.signal(signal.SIGPIPE, self._earlier)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._stopped, select.POLLIN)
        # Errors and the end are reported although no event is asked for.
        poll.register(self._descriptor, 0)
        ready = dict(poll.poll())
        poll.unregister(self._descriptor)
        while self._stopped not in ready:
            self._has_left = True
            main = threading.main_thread().ident
            if main is not None:
                # It may be in a system call, which a signal interrupts.
                signal.pthread_kill(main, signal.SIGPIPE)
            ready = dict(poll.poll(_REPEAT_MILLISECONDS))

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        # The kernel sends the same signal for connections to a cluster.
        if self._has_left and not self._is_over:
            raise _ReaderExit


def _pipe() -> int | None:
    """Return the descriptor of stdout, None if it is not a pipe or socket."""
    try:
        descriptor = sys.stdout.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return None
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return descriptor
    return None
