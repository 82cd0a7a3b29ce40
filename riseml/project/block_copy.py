"""Copy of a very large file by several threads, and the id of its content.

    block 1 ──read──▶ digest ─┐
                └─────write   ├──▶ id
    block 2 ──read──▶ digest ─┘
                └─────write

A digest of the content as one sequence takes one processor twice as long as the copy does. The
digests of blocks use all processors. The id is that of what was written, whatever happens to
the source meanwhile.
"""

import os
from collections.abc import Callable
from hashlib import sha1, sha256
from queue import SimpleQueue
from threading import Thread

from riseml.project import progress
from riseml.project.hashed_copy import clone

MIN_BYTES = 32 << 20
"""Size of the smallest file that has such an id. Smaller ones have the id of a Git object."""

# Both sizes are part of every id.
_BLOCK_BYTES = 8 << 20
# What is read at once stays in the processor's own cache.
_STEP_BYTES = 256 << 10
# The system lets only one thread write to a file at a time.
_MAX_THREADS = 4

Read = Callable[[int, memoryview, int], int]
"""Fills a buffer from a position of a descriptor; returns how many bytes there are."""


class _ShortFileError(Exception):
    """The file is shorter than it was before."""


def copy(source: int, target: int, size: int, read: Read) -> bytes | None:
    """Copy the first `size` bytes of an open file into an empty one.

    It returns the id of the content, None if there are fewer bytes.
    """
    if clone(source, target):
        if os.fstat(target).st_size > size:
            os.ftruncate(target, size)
        blocks = _Blocks(target, None, size, read)
    else:
        blocks = _Blocks(source, target, size, read)
    try:
        return blocks.copy()
    except _ShortFileError:
        return None


class _Blocks:
    """The blocks of a file, of which every thread copies the next one.

    Without a target, they are only read.
    """

    def __init__(self, source: int, target: int | None, size: int, read: Read) -> None:
        self._source, self._target, self._size = source, target, size
        self._read = read
        starts = range(0, size, _BLOCK_BYTES)
        self._starts = iter(starts)
        self._digests = dict.fromkeys(starts, b"")
        # The number of bytes of a block that is complete, or why there is none.
        self._results: SimpleQueue[int | Exception] = SimpleQueue()
        self._is_stopped = False

    def copy(self) -> bytes:
        """Copy all blocks, and return the id of the content."""
        threads = []
        try:
            for _ in range(min(_processors(), _MAX_THREADS)):
                thread = Thread(target=self._run)
                thread.start()
                threads.append(thread)
            for _ in self._digests:
                result = self._results.get()
                if isinstance(result, Exception):
                    raise result
                progress.advance(result)
        finally:
            # After an error or Ctrl-C, the threads do not begin another block.
            self._is_stopped = True
            for thread in threads:
                thread.join()
        digest = sha256(b"riseml blocks %d %d\0" % (_BLOCK_BYTES, self._size))
        digest.update(b"".join(self._digests.values()))
        return digest.digest()

    def _run(self) -> None:
        try:
            buffer = memoryview(bytearray(_STEP_BYTES))
            # Python gives a value of an iterator to one thread only.
            for start in self._starts:
                if self._is_stopped:
                    return
                end = min(start + _BLOCK_BYTES, self._size)
                self._digests[start] = self._copy_block(start, end, buffer)
                self._results.put(end - start)
        except Exception as error:  # noqa: BLE001
            # The other thread waits for it.
            self._results.put(error)

    def _copy_block(self, start: int, end: int, buffer: memoryview) -> bytes:
        digest = sha1(usedforsecurity=False)
        position = start
        while position < end:
            count = self._read(self._source, buffer[: end - position], position)
            if not count:
                raise _ShortFileError
            content = buffer[:count]
            digest.update(content)
            if self._target is not None:
                _write(self._target, content, position)
            position += count
        return digest.digest()


def _write(target: int, content: memoryview, position: int) -> None:
    while content:
        count = os.pwrite(target, content, position)
        content, position = content[count:], position + count


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
