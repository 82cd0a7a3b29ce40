"""Copy of a large file, whose content another thread hashes at the same time.

    source ──sendfile, or read and write──▶ target ──read──▶ digest
                    this thread                   a second one

Copying and hashing take about the same time, so two processors halve it. The digest is that
of the copy, whatever happens to the source meanwhile.
"""

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from hashlib import sha1
from typing import TYPE_CHECKING

from riseml.project import progress
from riseml.project.file_hasher import FileHasher
from riseml.project.objects import header

if TYPE_CHECKING:
    from hashlib import _Hash

_STEP_BYTES = 1 << 20
# Of ioctl_ficlone(2).
_FICLONE = 0x40049409

Read = Callable[[int, int], bytes]
"""Returns the next bytes of a descriptor, fewer than so many only at its end."""


def copy(source: int, target: int, read: Read, digest: "_Hash") -> int:
    """Copy an open file into an empty one, add what was copied to a digest, and return its size."""
    if clone(source, target):
        return _hash_clone(target, read, digest)
    copied = 0
    with FileHasher(target, digest) as hasher:
        for count in _pieces(source, target, read):
            copied += count
            hasher.extend(copied)
    return copied


def blob_of_copy(source: int, target: int, size: int, read: Read) -> bytes | None:
    """Copy an open file into an empty one; return its id in Git, None if it has another size."""
    digest = sha1(header(b"blob", size), usedforsecurity=False)
    copied = copy(source, target, read, digest)
    return digest.digest() if copied == size else None


def clone(source: int, target: int) -> bool:
    """Let a file share the blocks of another one; return False where that does not work."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _hash_clone(target: int, read: Read, digest: "_Hash") -> int:
    size = 0
    while data := read(target, _STEP_BYTES):
        digest.update(data)
        size += len(data)
    return size


def _pieces(source: int, target: int, read: Read) -> Iterator[int]:
    """Copy a file in pieces, and yield the size of each."""
    while count := _send(source, target):
        progress.advance(count)
        yield count
    # It is the end, or the system cannot copy between these files: reading tells which,
    # and its error, like that of writing, names the file that has a problem.
    while data := read(source, _STEP_BYTES):
        _write(target, data)
        yield len(data)


def _send(source: int, target: int) -> int:
    """Let the system copy the next bytes; return their number, 0 if it copied none."""
    # macOS sends files only to sockets, and not from the current position.
    if sys.platform != "linux":
        return 0
    try:
        return os.sendfile(target, source, None, _STEP_BYTES)
    except OSError:
        return 0


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
