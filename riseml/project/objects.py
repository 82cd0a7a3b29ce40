"""Writer of Git objects, without Git: a few small objects as one file each, more as one pack.

Writing objects is simple, unlike reading them. It needs no process here, so a snapshot with
one changed file takes milliseconds. The first snapshot of a large project becomes one file,
which is several times faster than `git add`.
"""

import os
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1
from itertools import accumulate
from typing import Protocol

from riseml.project.store import Store

# A larger file is read in steps.
IN_MEMORY = 16 << 20
_STEP_BYTES = 1 << 20
# More files are quicker to write as one.
_FEW_FILES = 200
# From this size on, compression would take most of the time that a user waits.
_UNCOMPRESSED_BYTES = 32 << 20
# Index entries of larger offsets stand in a table of their own.
_LARGE_OFFSET = 1 << 31
_ID_BYTES = 20
# Position of the first id in an index: after its header and 256 counts.
_IDS_START = 8 + 4 * 256

Read = Callable[[int], bytes]
"""Returns that many bytes of a file, fewer only at its end."""

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3}


class Objects(Protocol):
    """A writer of new objects. It skips objects that exist already."""

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Store an object and return its id."""

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Store the next `size` bytes as a blob and return its id.

        It returns None, and stores nothing, if there are fewer.
        """


@contextmanager
def adding(store: Store, files: int, size: int) -> Iterator[Objects]:
    """Return the writer for that many new files, of `size` bytes in total.

    The objects are visible once the block has ended without an error.
    """
    writer: Loose | Pack
    if files <= _FEW_FILES and size <= IN_MEMORY:
        writer = Loose(store)
    else:
        writer = Pack(store, 1 if size < _UNCOMPRESSED_BYTES else 0)
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
        return _add_read(self, read, size)

    def finish(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing: unused objects do no harm, and `prune` removes them."""


class Pack:
    """A writer of all objects into one file, visible once that is finished."""

    def __init__(self, store: Store, level: int) -> None:
        self._store, self._level = store, level
        self._packed = _packed_ids(store)
        # The checksum and the position of each entry, by the id of its object.
        self._entries: dict[bytes, tuple[int, int]] = {}
        self._path = store.unfinished("pack")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(self._path, flags, 0o444)
        # `adding` closes it, by `finish` or `discard`.
        self._file = open(descriptor, "w+b", _STEP_BYTES)  # noqa: SIM115
        self._end = self._file.write(b"PACK" + _word(2) + _word(0))

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Store an object and return its id."""
        name = identify(kind, data)
        if not self._has(name):
            entry = _entry(kind, len(data)) + zlib.compress(data, self._level)
            self._file.write(entry)
            self._note(name, zlib.crc32(entry), len(entry))
        return name

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Store the next `size` bytes as a blob and return its id.

        It returns None, and stores nothing, if there are fewer.
        """
        if size > IN_MEMORY:
            return self._add_stream(read, size)
        return _add_read(self, read, size)

    def _add_stream(self, read: Read, size: int) -> bytes | None:
        digest = sha1(header(b"blob", size), usedforsecurity=False)
        compressor = zlib.compressobj(self._level)
        head = _entry(b"blob", size)
        checksum = zlib.crc32(head)
        length = self._file.write(head)
        remaining = size
        while remaining:
            data = read(min(remaining, _STEP_BYTES))
            if not data:
                break
            remaining -= len(data)
            digest.update(data)
            compressed = compressor.compress(data)
            if not remaining:
                compressed += compressor.flush()
            checksum = zlib.crc32(compressed, checksum)
            length += self._file.write(compressed)
        name = digest.digest()
        if remaining or self._has(name):
            # The id is known only now, so an object that exists already is cut off again.
            self._file.seek(self._end)
            self._file.truncate()
        else:
            self._note(name, checksum, length)
        return None if remaining else name

    def _has(self, name: bytes) -> bool:
        if name in self._entries or name in self._packed:
            return True
        return self._store.has_loose(name)

    def _note(self, name: bytes, checksum: int, length: int) -> None:
        self._entries[name] = (checksum, self._end)
        self._end += length

    def finish(self) -> None:
        """Complete the pack and its index, and give both their names.

        They survive a power cut.
        """
        if not self._entries:
            self.discard()
            return
        self._file.seek(8)
        self._file.write(_word(len(self._entries)))
        self._file.seek(0)
        digest = sha1(usedforsecurity=False)
        while data := self._file.read(_STEP_BYTES):
            digest.update(data)
        self._file.write(digest.digest())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        name = f"objects/pack/pack-{digest.hexdigest()}"
        index = self._store.make(
            _index(self._entries, digest.digest()), 0o444, lasting=True
        )
        self._store.rename(self._path, f"{name}.pack")
        self._store.rename(index, f"{name}.idx")

    def discard(self) -> None:
        """Delete the unfinished pack."""
        # Closing writes what is buffered, which fails again if the disk is full.
        with suppress(OSError):
            self._file.close()
        self._store.unfinished("pack")


def _add_read(writer: Objects, read: Read, size: int) -> bytes | None:
    """Store the next `size` bytes, read at once; see `Objects.add_file`."""
    data = read(size)
    return writer.add(b"blob", data) if len(data) == size else None


def _entry(kind: bytes, size: int) -> bytes:
    """Return the head of a pack's entry: the kind and the size, four bits and then seven at a time."""
    head = bytearray()
    byte = _KINDS[kind] << 4 | size & 15
    size >>= 4
    while size:
        head.append(byte | 128)
        byte = size & 127
        size >>= 7
    head.append(byte)
    return bytes(head)


def _index(entries: dict[bytes, tuple[int, int]], pack: bytes) -> bytes:
    """Return the index, version 2, of a pack."""
    names = sorted(entries)
    checksums = [entries[name][0] for name in names]
    positions = [entries[name][1] for name in names]
    large = [position for position in positions if position >= _LARGE_OFFSET]
    # The highest bit marks an index into the table of large offsets.
    marks = {position: _LARGE_OFFSET | rank for rank, position in enumerate(large)}
    offsets = [marks.get(position, position) for position in positions]
    content = b"".join(
        (
            b"\377tOc",
            _words((2, *_cumulative_counts(names))),
            *names,
            _words(checksums),
            _words(offsets),
            *(position.to_bytes(8, "big") for position in large),
            pack,
        )
    )
    return content + sha1(content, usedforsecurity=False).digest()


def _cumulative_counts(names: list[bytes]) -> Iterator[int]:
    """Return the number of ids whose first byte is at most 0, at most 1, and so on."""
    counts = array("Q", bytes(8 * 256))
    for name in names:
        counts[name[0]] += 1
    return accumulate(counts)


def _packed_ids(store: Store) -> set[bytes]:
    """Return the ids of all objects in packs."""
    folder = os.path.join(store.path, "objects/pack")
    ids: set[bytes] = set()
    for name in os.listdir(folder):
        if name.endswith(".idx"):
            with open(os.path.join(folder, name), "rb") as file:
                ids.update(_ids_in_index(file.read()))
    return ids


def _ids_in_index(index: bytes) -> Iterator[bytes]:
    # The last of the 256 counts is that of all ids.
    count = int.from_bytes(index[_IDS_START - 4 : _IDS_START], "big")
    for rank in range(count):
        start = _IDS_START + _ID_BYTES * rank
        yield index[start : start + _ID_BYTES]


def _word(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _words(numbers: Iterable[int]) -> bytes:
    return b"".join(map(_word, numbers))
