"""Git's objects, written without Git: one file each for a few small ones, one pack for more.

Writing is the easy half of Git. Doing it here costs no process, so that a snapshot with one changed file takes
milliseconds, and makes a first snapshot of a big tree one file, several times quicker than `git add`.
"""

import os
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha1
from typing import Protocol

from riseml.project.store import Store

# Bytes. A larger file is read in steps.
IN_MEMORY = 16 << 20
_STEP = 1 << 20
# Files
_FEW = 200
# Bytes from which on compressing would be what a user waits for
_SWIFT = 32 << 20

Read = Callable[[int], bytes]
"""Returns so many bytes of a file, fewer only at its end."""

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3}


class Objects(Protocol):
    """Where new objects go. What is there already is not written again."""

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Keep an object and return its id."""

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Keep the next `size` bytes as a blob and return its id; None where there are fewer."""


@contextmanager
def adding(store: Store, files: int, size: int) -> Iterator[Objects]:
    """Give what suits so many new files of so many bytes together; when the block ends well, they are visible."""
    new: Loose | Pack = (
        Loose(store)
        if files <= _FEW and size <= IN_MEMORY
        else Pack(store, 1 if size < _SWIFT else 0)
    )
    try:
        yield new
        new.finish()
    except BaseException:
        new.discard()
        raise


def header(kind: bytes, size: int) -> bytes:
    """Return what precedes an object's content when Git computes its id."""
    return b"%b %d\0" % (kind, size)


def identify(kind: bytes, data: bytes) -> bytes:
    """Return the id of an object."""
    digest = sha1(header(kind, len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.digest()


class Loose:
    """One file for each object, visible at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Keep an object and return its id."""
        name = identify(kind, data)
        if not self._store.has_loose(name):
            content = zlib.compress(header(kind, len(data)) + data, 1)
            self._store.write(self._store.loose(name), content, 0o444)
        return name

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Keep the next `size` bytes as a blob and return its id; None where there are fewer."""
        data = read(size)
        return self.add(b"blob", data) if len(data) == size else None

    def finish(self) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing: unneeded objects do no harm."""


class Pack:
    """All objects in one file, visible when it is finished."""

    def __init__(self, store: Store, level: int) -> None:
        self._store, self._level = store, level
        self._there = _packed(store)
        self._entries: dict[
            bytes, tuple[int, int]
        ] = {}  # id: checksum and place of the entry
        self._path = store.unfinished("pack")
        descriptor = os.open(
            self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444
        )
        # `adding` ends it
        self._file = open(descriptor, "w+b", _STEP)  # noqa: SIM115
        self._end = self._file.write(b"PACK" + _word(2) + _word(0))

    def add(self, kind: bytes, data: bytes) -> bytes:
        """Keep an object and return its id."""
        name = identify(kind, data)
        if not self._has(name):
            entry = _entry(kind, len(data)) + zlib.compress(data, self._level)
            self._file.write(entry)
            self._note(name, zlib.crc32(entry), len(entry))
        return name

    def add_file(self, read: Read, size: int) -> bytes | None:
        """Keep the next `size` bytes as a blob and return its id; None where there are fewer."""
        if size > IN_MEMORY:
            return self._add_stream(read, size)
        data = read(size)
        return self.add(b"blob", data) if len(data) == size else None

    def _add_stream(self, read: Read, size: int) -> bytes | None:
        digest, squeezed = (
            sha1(header(b"blob", size), usedforsecurity=False),
            zlib.compressobj(self._level),
        )
        entry, left = _entry(b"blob", size), size
        checksum, length = zlib.crc32(entry), self._file.write(entry)
        while left and (data := read(min(left, _STEP))):
            left -= len(data)
            digest.update(data)
            part = squeezed.compress(data) + (b"" if left else squeezed.flush())
            checksum, length = (
                zlib.crc32(part, checksum),
                length + self._file.write(part),
            )
        if left or self._has(digest.digest()):
            self._file.seek(self._end)
            self._file.truncate()
        else:
            self._note(digest.digest(), checksum, length)
        return None if left else digest.digest()

    def _has(self, name: bytes) -> bool:
        return (
            name in self._entries or name in self._there or self._store.has_loose(name)
        )

    def _note(self, name: bytes, checksum: int, length: int) -> None:
        self._entries[name] = (checksum, self._end)
        self._end += length

    def finish(self) -> None:
        """Write the pack's end and its index, and give both their names; they outlive a power cut."""
        if not self._entries:
            self.discard()
            return
        self._file.seek(8)
        self._file.write(_word(len(self._entries)))
        self._file.seek(0)
        digest = sha1(usedforsecurity=False)
        while data := self._file.read(_STEP):
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
        """Give the space back."""
        # Of a full disk, which is why
        with suppress(OSError):
            self._file.close()
        self._store.unfinished("pack")


def _entry(kind: bytes, size: int) -> bytes:
    """Return the head of a pack's entry: the kind and the size, four bits and then seven at a time."""
    parts, byte, size = bytearray(), _KINDS[kind] << 4 | size & 15, size >> 4
    while size:
        parts.append(byte | 128)
        byte, size = size & 127, size >> 7
    return bytes((*parts, byte))


def _index(entries: dict[bytes, tuple[int, int]], pack: bytes) -> bytes:
    """Return the index, version 2, of a pack."""
    names = sorted(entries)
    counts = array("Q", bytes(8 * 256))
    for name in names:
        counts[name[0]] += 1
    total, fanout = 0, []
    for count in counts:
        total += count
        fanout.append(total)
    far = [place for name in names if (place := entries[name][1]) >= 1 << 31]
    ranks = {place: 1 << 31 | rank for rank, place in enumerate(far)}
    places = (ranks.get(place, place) for place in (entries[name][1] for name in names))
    content = (
        b"\377tOc"
        + _words((2, *fanout))
        + b"".join(names)
        + _words(entries[name][0] for name in names)
    )
    content += (
        _words(places) + b"".join(place.to_bytes(8, "big") for place in far) + pack
    )
    return content + sha1(content, usedforsecurity=False).digest()


def _packed(store: Store) -> set[bytes]:
    """Return the ids of all objects in packs."""
    folder, found = os.path.join(store.path, "objects/pack"), set[bytes]()
    for name in os.listdir(folder):
        if name.endswith(".idx"):
            with open(os.path.join(folder, name), "rb") as file:
                index = file.read()
            count = int.from_bytes(index[1028:1032], "big")
            found.update(
                index[at : at + 20] for at in range(1032, 1032 + 20 * count, 20)
            )
    return found


def _word(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _words(numbers: Iterable[int]) -> bytes:
    return b"".join(map(_word, numbers))
