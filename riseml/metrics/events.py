"""Reader of TensorBoard event files: the scalars of TensorFlow 1 and 2, torch, and similar writers.

    record = length (8 bytes), its masked CRC-32C (4), event, the event's masked CRC-32C (4)
    event  = step and summary; summary = values, each with a tag and a number or a tensor

Only records that are complete are read. The file may grow, and its writer may be killed
within a record.
"""

import struct
from contextlib import suppress
from functools import lru_cache

from riseml.metrics.reader import FileReader
from riseml.metrics.wire import Message, WireError, unpack

_HEADER, _FRAME = 12, 16
# No scalar is as long; graphs and images are skipped without being read.
_MAX_EVENT = 1 << 20
_STEP, _SUMMARY, _VALUE = 2, 5, 1
_TAG, _SIMPLE, _TENSOR = 1, 2, 8
_DTYPE, _SHAPE = 1, 2
# Letters of `struct` by the type of a tensor.
_FORMS = {1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 19: "e"} | {
    17: "H", 22: "I", 23: "Q",
}  # fmt: skip
_BFLOAT16 = 14
# Fields of a tensor with its bytes: all of them, or those of float and double numbers.
_CONTENTS = (4, 5, 6)
# Fields with integers, and the one with the bits of numbers of 16 bits.
_INTEGERS, _HALVES = (7, 10, 11, 16, 17), 13


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 * (crc & 1))
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def masked_crc(data: bytes) -> int:
    """Return the checksum of a record's length or event."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class EventReader(FileReader):
    """Reader of one event file; its series are called like their tags."""

    def exact(self, value: float) -> float:
        """Return a number as the program wrote it, not as 32 bits store it."""
        return shortest(value)

    def consume(self, data: bytes, *, is_end: bool = False) -> int:
        """Read the complete records of what follows in the file; return their length in bytes.

        It is greater than that of `data` if a long event without scalars can be skipped.
        """
        del is_end
        position = 0
        while position + _HEADER <= len(data):
            header = data[position : position + 8]
            (checksum,) = struct.unpack_from("<I", data, position + 8)
            if _checksum_of_length(header) != checksum:
                # Some file systems show zeros where the data is still to come.
                break
            (length,) = struct.unpack("<Q", header)
            end = position + length + _FRAME
            is_read = length > _MAX_EVENT
            if not is_read and end <= len(data):
                is_read = self._read_record(data, position, length)
            if not is_read:
                break
            position = end
        return position

    def _read_record(self, data: bytes, position: int, length: int) -> bool:
        """Read the event of a record; return False if it is not completely written yet."""
        start = position + _HEADER
        event = data[start : start + length]
        if start + length + 4 == len(data):
            # Only the newest record can be incomplete, and checksums take time.
            (checksum,) = struct.unpack_from("<I", data, start + length)
            if masked_crc(event) != checksum:
                return False
        try:
            self._read_event(event)
        except (WireError, struct.error):
            # A damaged event must not hide those that follow.
            return True
        return True

    def _read_event(self, data: bytes) -> None:
        event = Message(data)
        step = event.integer(_STEP)
        for summary in event.blobs(_SUMMARY):
            for value in Message(summary).blobs(_VALUE):
                self._read_value(Message(value), step)

    def _read_value(self, value: Message, step: int) -> None:
        numbers = unpack("f", b"".join(value.blobs(_SIMPLE)))
        for tensor in value.blobs(_TENSOR):
            numbers += _scalar(Message(tensor))
        if len(numbers) == 1:
            tag = b"".join(value.blobs(_TAG)).decode("utf-8", "replace")
            self.add(tag, float(numbers[0]), step)


def _scalar(tensor: Message) -> list[float]:
    """Return the number of a tensor without dimensions; nothing of any other tensor."""
    if any(tensor.blobs(_SHAPE)):
        return []
    content = b""
    for field_number in _CONTENTS:
        content += b"".join(tensor.blobs(field_number))
    for bits in tensor.integers(_HALVES):
        content += struct.pack("<H", bits & 0xFFFF)
    dtype = tensor.integer(_DTYPE)
    if dtype == _BFLOAT16:
        # It is the first half of a float.
        return unpack("f", b"\0\0" + content)
    # The bytes of any other type make several numbers, or none.
    numbers = unpack(_FORMS.get(dtype, "B"), content)
    for field_number in _INTEGERS:
        numbers += tensor.integers(field_number)
    return numbers


@lru_cache(1024)
def _checksum_of_length(data: bytes) -> int:
    # Events of the same tags have the same length.
    return masked_crc(data)


def shortest(value: float) -> float:
    """Return the number with the fewest digits that a writer of 32 bits stores as `value`."""
    # Numbers beyond those of 32 bits are not stored like that.
    with suppress(OverflowError):
        for digits in (6, 7, 8, 9):
            candidate = float(f"{value:.{digits}g}")
            stored = struct.pack("<f", candidate)
            if struct.unpack("<f", stored) == (value,):
                return candidate
    return value
