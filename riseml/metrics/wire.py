"""Wire format of protocol buffers: the fields of a message, without its description."""

import struct

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_LENGTHS = {_FIXED64: 8, _FIXED32: 4}
_CONTINUES = 0x80
_MAX_VARINT_BYTES = 10
_SIGN = 1 << 63


class WireError(ValueError):
    """The bytes are not a message."""


class Message:
    """The fields of a message by their numbers; those that are missing read as empty."""

    def __init__(self, data: bytes) -> None:
        """Read a message.

        Raises:
            WireError: the bytes are not a message.
        """
        self._integers: dict[int, list[int]] = {}
        self._blobs: dict[int, list[bytes]] = {}
        position, end = 0, len(data)
        while position < end:
            tag, position = varint(data, position)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                integer, position = varint(data, position)
                self._integers.setdefault(number, []).append(integer)
                continue
            length, position = _length(kind, data, position)
            blob = data[position : position + length]
            position += length
            if position > end:
                raise WireError("a field is longer than its message")
            self._blobs.setdefault(number, []).append(blob)

    def integer(self, number: int) -> int:
        """Return the last integer of a field, with its sign; 0 if there is none."""
        integers = self._integers.get(number, [0])
        return _signed(integers[-1])

    def integers(self, number: int) -> list[int]:
        """Return all integers of a field, packed or not, with their signs."""
        integers = list(self._integers.get(number, ()))
        for blob in self.blobs(number):
            position = 0
            while position < len(blob):
                integer, position = varint(blob, position)
                integers.append(integer)
        return list(map(_signed, integers))

    def blobs(self, number: int) -> list[bytes]:
        """Return all values of a field that are texts, messages, packed or of fixed length."""
        return self._blobs.get(number, [])


def varint(data: bytes, position: int) -> tuple[int, int]:
    """Return an integer of variable length, and the position after it.

    Raises:
        WireError: it has no end.
    """
    if position < len(data) and not data[position] & _CONTINUES:
        # Nearly all integers have one byte.
        return data[position], position + 1
    result = shift = 0
    end = min(position + _MAX_VARINT_BYTES, len(data))
    while position < end:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & _CONTINUES:
            return result, position
        shift += 7
    raise WireError("an integer has no end")


def unpack(form: str, data: bytes) -> list[float]:
    """Return the numbers of a packed field; `form` is the letter of `struct`."""
    size = struct.calcsize(form)
    count = len(data) // size
    return list(struct.unpack(f"<{count}{form}", data[: count * size]))


def _length(kind: int, data: bytes, position: int) -> tuple[int, int]:
    if kind == _BYTES:
        return varint(data, position)
    length = _FIXED_LENGTHS.get(kind)
    if length is None:
        raise WireError(f"unknown wire type {kind}")
    return length, position


def _signed(value: int) -> int:
    return (value ^ _SIGN) - _SIGN
