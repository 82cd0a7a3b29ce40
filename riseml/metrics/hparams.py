"""Records of TensorBoard's HPARAMS tab: an experiment's parameters, and how it has ended.

    parameters of a plan ──start──▶ events.out.tfevents.0000000000.riseml       before the trainer writes
    exit code ─────────────end────▶ events.out.tfevents.9999999999.riseml.end   after it has ended

A trainer needs no code for it. TensorBoard finds the columns and all metrics by itself, so
there is no record of the experiment as a whole. The records name the experiment: without that,
two with equal parameters would be one row. TensorBoard keeps the first state that it reads,
so none says that an experiment is running.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress

from riseml.metrics.events import masked_crc

START_FILE = "events.out.tfevents.0000000000.riseml"
"""Its name precedes those of trainers: TensorBoard reads files in order, and leaves one for the next."""

END_FILE = "events.out.tfevents.9999999999.riseml.end"
COLUMNS_TAG = b"_hparams_/experiment"
"""The tag of a record in which a trainer itself decides which columns the tab has."""

_START_TAG, _END_TAG = "_hparams_/session_start_info", "_hparams_/session_end_info"
_VARINT, _DOUBLE, _BYTES = 0, 1, 2
_CONTINUES = 0x80
# A scalar without a value: type float, and a shape with one dimension.
_NO_TENSOR = b"\x08\x01\x12\x02\x12\x00"
_SUCCESS, _FAILURE = 1, 2
# TensorBoard has numbers of 64 bits, which are exact up to this one.
_LARGEST_EXACT = 1 << 53


def start(experiment: str, parameters: Mapping[str, str], now: float) -> bytes:
    """Return the content of START_FILE; `now` is the time in seconds since 1970."""
    info = b""
    for name, text in parameters.items():
        entry = _field(1, name.encode()) + _field(2, _value(text))
        info += _field(1, entry)
    info += _field(4, experiment.encode()) + _number(5, now)
    version = _number(1, now) + _field(3, b"brain.Event:2")
    return _record(version) + _record(_event(_START_TAG, _field(3, info), now))


def end(*, is_success: bool) -> bytes:
    """Return the content of END_FILE, the same for all experiments."""
    status = _SUCCESS if is_success else _FAILURE
    info = _field(4, _varint(1 << 3 | _VARINT) + _varint(status))
    version = _number(1, 0.0) + _field(3, b"brain.Event:2")
    return _record(version) + _record(_event(_END_TAG, info, 0.0))


def is_own(name: str) -> bool:
    """Return whether a file of this name was written here, and not by a trainer."""
    return name in {START_FILE, END_FILE}


def octal(data: bytes) -> str:
    """Return bytes as the shell's `printf` reads them."""
    return "".join(map("\\{:03o}".format, data))


def _value(text: str) -> bytes:
    if text in {"true", "false"}:
        return _varint(4 << 3 | _VARINT) + _varint(int(text == "true"))
    with suppress(ValueError):
        value = float(text)
        # The column of a value that is not finite would have no range.
        if math.isfinite(value) and (abs(value) <= _LARGEST_EXACT or "e" in text):
            return _number(2, value)
    return _field(3, text.encode())


def _event(tag: str, data: bytes, now: float) -> bytes:
    plugin = _field(1, b"hparams") + _field(2, data)
    metadata = _field(1, plugin)
    value = _field(1, tag.encode()) + _field(8, _NO_TENSOR) + _field(9, metadata)
    return _number(1, now) + _field(5, _field(1, value))


def _record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return b"".join(_checked((length, event)))


def _checked(pieces: tuple[bytes, bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece + struct.pack("<I", masked_crc(piece))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _number(number: int, value: float) -> bytes:
    return _varint(number << 3 | _DOUBLE) + struct.pack("<d", value)


def _varint(value: int) -> bytes:
    digits = []
    while value >= _CONTINUES:
        digits.append(value & 0x7F | _CONTINUES)
        value >>= 7
    return bytes([*digits, value])
