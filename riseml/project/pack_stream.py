"""Objects in the form of a pack: a head, and the content as a zlib stream.

Content that hardly shrinks is stored as it is, in the blocks that zlib has for that. zlib itself
writes those ten times more slowly, because it copies everything several times.
"""

import zlib
from collections.abc import Iterator

_KINDS = {b"commit": 1, b"tree": 2, b"blob": 3}
# A smaller file takes no noticeable time to compress.
_TESTED_BYTES = 64 << 10
_SAMPLE_BYTES = 8 << 10
# A larger share of the sample after its compression is not worth the time.
_WORTHWHILE_SHARE = 0.9
# The largest size that fits into the head of a block.
_BLOCK_BYTES = 0xFFFF
_STORED_HEAD = b"\x78\x01"


def pays(data: bytes) -> bool:
    """Return whether compression makes the content of a file much smaller."""
    if len(data) < _TESTED_BYTES:
        return True
    sample = data[:_SAMPLE_BYTES]
    return len(zlib.compress(sample, 1)) < _WORTHWHILE_SHARE * len(sample)


def head(kind: bytes, size: int) -> bytes:
    """Return the head of an object: the kind and the size, four bits and then seven at a time."""
    result = bytearray()
    byte = _KINDS[kind] << 4 | size & 15
    size >>= 4
    while size:
        result.append(byte | 128)
        byte = size & 127
        size >>= 7
    result.append(byte)
    return bytes(result)


class Compressed:
    """Compressed content, in several parts, after the head of its object."""

    def __init__(self, head: bytes) -> None:
        self._start = head
        self._compressor = zlib.compressobj(1)

    def parts(self, data: bytes, *, is_last: bool) -> Iterator[bytes]:
        """Yield the next parts of the stream."""
        yield self._start + self._compressor.compress(data)
        self._start = b""
        if is_last:
            yield self._compressor.flush()


class Stored:
    """Content as it is, in several parts, after the head of its object."""

    def __init__(self, head: bytes) -> None:
        self._start = head + _STORED_HEAD
        self._checksum = zlib.adler32(b"")

    def parts(self, data: bytes, *, is_last: bool) -> Iterator[bytes | memoryview]:
        """Yield the next parts of the stream."""
        self._checksum = zlib.adler32(data, self._checksum)
        view = memoryview(data)
        # Content without a byte is one empty block.
        for start in range(0, len(data) or 1, _BLOCK_BYTES):
            block = view[start : start + _BLOCK_BYTES]
            is_final = is_last and start + _BLOCK_BYTES >= len(data)
            yield self._start + _block_head(len(block), is_final=is_final)
            yield block
            self._start = b""
        if is_last:
            yield self._checksum.to_bytes(4, "big")


def _block_head(size: int, *, is_final: bool) -> bytes:
    complement = size ^ 0xFFFF
    return bytes((is_final,)) + (size | complement << 16).to_bytes(4, "little")
