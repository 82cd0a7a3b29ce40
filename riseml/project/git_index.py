"""Reader of Git's index: what a commit from a working tree would contain, with the times of its files.

Only this file is read. Versions 2 to 4 are known, with ids of SHA-1 and of SHA-256.
"""

import stat
import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEADER = struct.Struct(">4sII")
# Change time, device, inode, user and group are of no interest.
_FIELDS = {
    20: struct.Struct(">8x2I8xI8xI20sH"),
    32: struct.Struct(">8x2I8xI8xI32sH"),
}
_EXTENSION = struct.Struct(">4sI")
_COMPRESSED = 4
_STAGE, _EXTENDED, _IS_ASSUMED = 0x3000, 0x4000, 0x8000
# These are in the second half of the flags.
_IS_SKIPPED, _IS_PLANNED = 0x4000 << 16, 0x2000 << 16
_NANOSECONDS = 1_000_000_000


class UnreadableIndexError(ValueError):
    """The file is not an index, or of a form that cannot be read without Git."""


class IndexEntry(NamedTuple):
    """A tracked file: its path in the repository, mode, size, time of change, id and flags."""

    path: bytes
    mode: int
    size: int
    modified_ns: int
    id: bytes
    flags: int

    @property
    def is_unsettled(self) -> bool:
        """Whether it is of a conflict, or has no content yet."""
        return bool(self.flags & (_STAGE | _IS_PLANNED))

    @property
    def is_assumed(self) -> bool:
        """Whether differences of its file do not count."""
        return bool(self.flags & (_IS_ASSUMED | _IS_SKIPPED))

    @property
    def is_repository(self) -> bool:
        """Whether it is a submodule, or a folder of an index with only some files."""
        return not (stat.S_ISREG(self.mode) or stat.S_ISLNK(self.mode))


class Index:
    """The index in `data`, with ids of `id_bytes` bytes."""

    def __init__(self, data: bytes, id_bytes: int) -> None:
        self._data, self._id_bytes = data, id_bytes
        self._end = 0

    def __iter__(self) -> Iterator[IndexEntry]:
        """Yield all entries.

        Raises:
            UnreadableIndexError: it cannot be read.
        """
        try:
            yield from self._entries()
        except (struct.error, ValueError, IndexError) as error:
            raise UnreadableIndexError(str(error)) from None

    def tree_id(self) -> bytes:
        """Return the id of the tree that a commit would have; empty if the index does not say.

        All entries have been read.

        Raises:
            UnreadableIndexError: other files have a part of the entries.
        """
        position, tree = self._end, b""
        while position + _EXTENSION.size < len(self._data) - self._id_bytes:
            name, size = _EXTENSION.unpack_from(self._data, position)
            position += _EXTENSION.size
            if name == b"link":
                raise UnreadableIndexError("a split index")
            if name == b"TREE":
                extension = self._data[position : position + size]
                tree = _root_id(extension, self._id_bytes)
            position += size
        return tree

    def _entries(self) -> Iterator[IndexEntry]:
        data = self._data
        signature, version, count = _HEADER.unpack_from(data)
        if signature != b"DIRC" or version > _COMPRESSED:
            raise UnreadableIndexError("not an index")
        fields = _FIELDS[self._id_bytes]
        position, path = _HEADER.size, b""
        for _ in range(count):
            seconds, nanoseconds, mode, size, id_, flags = fields.unpack_from(
                data, position
            )
            start = position + fields.size
            if flags & _EXTENDED:
                flags |= int.from_bytes(data[start : start + 2]) << 16
                start += 2
            if version == _COMPRESSED:
                stripped, start = _varint(data, start)
                end = data.index(b"\0", start)
                path = path[: len(path) - stripped] + data[start:end]
                length = end + 1 - position
            else:
                end = data.index(b"\0", start)
                path = data[start:end]
                # An entry ends with one to eight zeros.
                length = (end - position + 8) & ~7
            position += length
            modified = seconds * _NANOSECONDS + nanoseconds
            yield IndexEntry(path, mode, size, modified, id_, flags)
        self._end = position


def _root_id(extension: bytes, id_bytes: int) -> bytes:
    """Return the id of the root; its record is an empty path, two counts, and the id."""
    counts, _, rest = extension[1:].partition(b"\n")
    is_outdated = counts.startswith(b"-")
    return b"" if is_outdated else rest[:id_bytes]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number as Git writes offsets, and the position after it."""
    byte = data[position]
    value = byte & 0x7F
    while byte & 0x80:
        position += 1
        byte = data[position]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, position + 1
