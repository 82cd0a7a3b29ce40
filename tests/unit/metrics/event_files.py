"""Event files, written byte by byte."""

import struct

from riseml.metrics.events import masked_crc


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def blob(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def simple(tag: str, value: float) -> bytes:
    """A value as TensorFlow 1 writes it."""
    return blob(1, tag.encode()) + varint(2 << 3 | 5) + struct.pack("<f", value)


def tensor(tag: str, dtype: int, *fields: bytes, shape: bytes = b"") -> bytes:
    """A value as TensorFlow 2 and torch write it."""
    return blob(1, tag.encode()) + blob(
        8, integer(1, dtype) + blob(2, shape) + b"".join(fields)
    )


def event(step: int, *values: bytes, time: float = 1.7e9) -> bytes:
    summary = b"".join(blob(1, value) for value in values)
    wall_time = varint(1 << 3 | 1) + struct.pack("<d", time)
    return record(wall_time + integer(2, step) + blob(5, summary))


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return (
        length
        + struct.pack("<I", masked_crc(length))
        + data
        + struct.pack("<I", masked_crc(data))
    )


VERSION = record(blob(3, b"brain.Event:2"))
"""The first record of every event file."""
