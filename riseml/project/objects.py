"""Writer of Git objects, without Git: a few small objects as one file each, more as one pack.

Writing objects is simple, unlike reading them. It needs no process here, so a snapshot with
one changed file takes milliseconds. The first snapshot of a large project becomes one file,
which is several times faster than `git add`.
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha1
from typing import TYPE_CHECKING, Protocol

from riseml.project.store import Store

if TYPE_CHECKING:
    from riseml.project import pack

# A larger file is read in steps.
IN_MEMORY = 16 << 20
# More files are quicker to write as one.
_FEW_FILES = 200
# From this size on, compression would take most of the time that a user waits.
_UNCOMPRESSED_BYTES = 32 << 20

Read = Callable[[int], bytes]
"""Returns that many bytes of a file, fewer only at its end."""


class Objects(Protocol):
    """A writer of new objects. It skips objects that exist already."""

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Store an object and return its id."""

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Store the next `size` bytes as a blob and return its id.

        It returns None, and stores nothing, if there are fewer.
        """


@contextmanager
def adding(store: Store, files: int, size: int, expected: int) -> Iterator[Objects]:
    """Return the writer for that many new files, of `size` bytes in total.

    `expected` is the number of all new objects if no two of them are the same. The objects
    are visible once the block has ended without an error.
    """
    writer: Loose | pack.Pack
    if files <= _FEW_FILES and size <= IN_MEMORY:
        writer = Loose(store)
    else:
        # It loads threads, and most snapshots write no pack.
        from riseml.project.pack import Pack  # noqa: PLC0415

        compresses = size < _UNCOMPRESSED_BYTES
        writer = Pack(store, compresses=compresses, expected=expected)
    try:
        yield writer
        writer.finish()
    except BaseException:
        writer.discard()
        raise


def header(kind: bytes, size: int) -> bytes:
    """Return the bytes that precede an object's content when Git computes its id."""
    return b"%b %d\0" % (kind, size)


def identify(kind: bytes, data: bytes) -> bytes:
    """Return the id of an object."""
    digest = sha1(header(kind, len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.digest()


class Loose:
    """A writer of one file for each object, visible at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Store an object and return its id."""
        name = identify(kind, data)
        if not self._store.has_loose(name):
            content = zlib.compress(header(kind, len(data)) + data, 1)
            self._store.write(self._store.loose(name), content, 0o444)
        return name

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Store the next `size` bytes as a blob and return its id.

        It returns None, and stores nothing, if there are fewer.
        """
        return add_read(self, read, size)

    def finish(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing: unused objects do no harm, and `prune` removes them."""


def add_read(writer: Objects, read: Read, size: int) -> bytes | None:
    """Store the next `size` bytes, read at once; see `Objects.add_file`."""
    data = read(size)
    return writer.add(b"blob", data) if len(data) == size else None
