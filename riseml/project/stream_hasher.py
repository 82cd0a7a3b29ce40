"""Digest of a stream of bytes, by a second thread that follows the one that has them."""

from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from hashlib import _Hash

# The memory that a stream takes has a limit, even if the thread gets no processor.
_MAX_WAITING = 8


class StreamHasher:
    """Thread that adds bytes to a digest, which is complete once the block has ended."""

    def __init__(self, digest: "_Hash") -> None:
        self._digest = digest
        self._waiting: Queue[bytes] = Queue(_MAX_WAITING)
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put(b"")
        self._thread.join()

    def extend(self, data: bytes) -> None:
        """Add the next bytes."""
        self._waiting.put(data)

    def _run(self) -> None:
        while data := self._waiting.get():
            self._digest.update(data)
