"""Threads that copy bytes from one descriptor to another until the end, or until stopped."""

import os
import select
import threading
from collections.abc import Callable

_CHUNK_BYTES = 1 << 16

Write = Callable[[bytes], object]


class Pump:
    """Thread that hands on what a descriptor has, and calls `at_end` after the last bytes.

    It reads only when there is something to read, so no byte is lost if it is stopped
    in between. It ends early if `write` raises an OSError: nobody reads any more.
    """

    def __init__(
        self, source: int, write: Write, at_end: Callable[[], object] | None = None
    ) -> None:
        self._source, self._write, self._at_end = source, write, at_end
        self._reader, self._writer = os.pipe()
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop it; what has not been read stays."""
        os.write(self._writer, b"1")
        self._thread.join()
        self._close()

    def drain(self, seconds: float) -> None:
        """Wait for the end of its source for some seconds, then stop it."""
        self._thread.join(seconds)
        self.stop()

    def _close(self) -> None:
        for descriptor in (self._reader, self._writer):
            os.close(descriptor)

    def _copy(self) -> None:
        # A terminal whose last process has exited is an error, not an end.
        try:
            while self._is_ready():
                data = os.read(self._source, _CHUNK_BYTES)
                if not data:
                    break
                self._write(data)
            else:
                return
        except OSError:
            return
        if self._at_end:
            self._at_end()

    def _is_ready(self) -> bool:
        """Wait for bytes; return False once it is stopped."""
        waiting = select.poll()
        waiting.register(self._source, select.POLLIN)
        waiting.register(self._reader, select.POLLIN)
        ready = dict(waiting.poll())
        return self._reader not in ready


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes, however few a descriptor takes at once.

    Raises:
        OSError: nobody reads them.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
