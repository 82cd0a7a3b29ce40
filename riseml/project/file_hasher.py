"""Digest of a file that is still being written, by a second thread.

Python lets threads hash and write at the same time, so the digest of a large file is complete
almost as soon as the file is.
"""

import errno
import os
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hashlib import _Hash

# What is hashed at once stays in the processor's own cache.
_HASH_BYTES = 256 << 10


class FileHasher:
    """Thread that adds an open file to a digest, as far as it has been written.

    The digest is complete once the block has ended, or `finish` was called.
    """

    def __init__(self, descriptor: int, digest: "_Hash") -> None:
        self._descriptor, self._digest = descriptor, digest
        self._ends: SimpleQueue[int] = SimpleQueue()
        self._error: OSError | None = None
        self._is_stopped = False
        self._thread = Thread(target=self._run)

        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.stop()

    def finish(self) -> None:
        """Wait until everything is hashed.

        Raises:
            OSError: the file cannot be read.
        """
        self._ends.put(0)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the thread without the digest, after an error or Ctrl-C."""
        self._is_stopped = True
        self._ends.put(0)
        self._thread.join()

    def extend(self, end: int) -> None:
        """Hash the file up to a position that has been written."""
        self._ends.put(end)

    def _run(self) -> None:
        try:
            self._hash()
        except OSError as error:
            self._error = error

    def _hash(self) -> None:
        buffer = memoryview(bytearray(_HASH_BYTES))
        position = 0
        while end := self._ends.get():
            while position < end and not self._is_stopped:
                part = buffer[: end - position]
                count = os.preadv(self._descriptor, [part], position)
                if not count:
                    raise OSError(errno.EIO, "the copy was shortened")
                self._digest.update(part[:count])
                position += count
