"""Index of a pack, version 2: the ids, checksums and positions of its objects.

Git finds an object by it, and a snapshot finds out which objects exist already.
"""

import os
from array import array
from collections.abc import Iterable, Iterator
from hashlib import sha1
from itertools import accumulate

from riseml.project.store import Store

# Entries of larger offsets stand in a table of their own.
_LARGE_OFFSET = 1 << 31
_ID_BYTES = 20
# Position of the first id: after the header and 256 counts.
_IDS_START = 8 + 4 * 256


def content_of(entries: dict[bytes, tuple[int, int]], pack: bytes) -> bytes:
    """Return the index of a pack, whose checksum is `pack`.

    `entries` has the checksum and the position of each object.
    """
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


def packed_ids(store: Store) -> set[bytes]:
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


def word(number: int) -> bytes:
    """Return a number as a pack and its index contain it."""
    return number.to_bytes(4, "big")


def _words(numbers: Iterable[int]) -> bytes:
    return b"".join(map(word, numbers))
