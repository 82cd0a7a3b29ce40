"""Masking of secrets in a stream of output: `***` replaces each value.

    pieces of any length ──▶ Masker ──▶ the same pieces without secrets

It needs only the standard library of Python 3.7, because pods run the text of this file.
"""

from __future__ import annotations

import binascii
import os
import select
import sys
from collections.abc import Callable, Iterable, Sequence

MASK = b"***"
HOLD_SECONDS = 0.5
"""How long the beginning of a possible secret is held back without further output."""

# Values this short, or lines of them, are common in other output when encoded.
_SHORTEST_FORM = 8
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_URL_FORMS = [b"%%%02X" % number for number in range(256)]
for _number in _UNRESERVED:
    _URL_FORMS[_number] = bytes((_number,))
_READ_BYTES = 1 << 16


def forms(values: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the texts that must not appear: values, their lines, and encoded forms.

    The lines of a value count as well, because programs print prefixes before lines.
    """
    result: set[bytes] = set()
    for value in values:
        # A program may print what follows a value, such as its line end, or not.
        text = value.strip()
        result.add(text)
        for line in text.splitlines():
            if len(line.strip()) >= _SHORTEST_FORM:
                result.add(line.strip())
        if len(text) >= _SHORTEST_FORM:
            result.update((_quoted(text), _escaped(text)))
            result.update(_base64(text))
    result.discard(b"")
    return tuple(sorted(result, key=len, reverse=True))


def _quoted(text: bytes) -> bytes:
    """Return a value as a part of a URL."""
    return b"".join(map(_URL_FORMS.__getitem__, text))


def _escaped(text: bytes) -> bytes:
    """Return a value as it is between the quotes of JSON and of most languages."""
    for character, escape in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n")):
        text = text.replace(character, escape)
    return text


def _base64(text: bytes) -> Iterable[bytes]:
    """Yield what Base64 of a longer text contains of a value, with both alphabets."""
    for offset in range(3):
        encoded = binascii.b2a_base64(bytes(offset) + text).rstrip(b"=\n")
        # Characters at both ends depend on what surrounds the value.
        start = (offset * 8 + 5) // 6
        end = (offset + len(text)) * 8 // 6
        yield encoded[start:end]
        yield encoded[start:end].translate(bytes.maketrans(b"+/", b"-_"))


class Masker:
    """Masker of one stream for `texts`, the result of `forms`.

    A possible beginning of a secret at the end of a piece is held back until the next
    piece decides, or `flush` does. `flush` shows at most half of a value, so less
    than half of it remains to be guessed only if a program pauses in the middle.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = texts
        # The first bytes were returned before, and may begin a secret. If the last of
        # them were returned as a mask, what continues them needs no other one.
        self._buffer = b""
        self._returned = 0
        self._ends_masked = False

    @property
    def holds(self) -> bool:
        """Whether something is held back."""
        return len(self._buffer) > self._returned

    def feed(self, data: bytes) -> bytes:
        """Return what is certain of the stream after a further piece of it."""
        if not self._texts:
            return data
        self._buffer += data
        spans = self._spans()
        start = end = self._open_start()
        for first, stop in spans:
            # The end of this secret may also begin the next one.
            if first < start < stop:
                end = stop
        return self._take(spans, end, start)

    def flush(self) -> bytes:
        """Return what is held back, and do not wait for the rest of a secret."""
        if not self.holds:
            return b""
        spans = self._spans()
        start, end = self._open_start(), len(self._buffer)
        if self._is_telling(self._buffer[start:]):
            spans = _merged([*spans, (start, end)])
        return self._take(spans, end, start)

    def _take(self, spans: list[tuple[int, int]], end: int, start: int) -> bytes:
        """Return the buffer up to `end`, and keep it from `start` on."""
        result = []
        position = self._returned
        is_masked = self._ends_masked
        for first, stop in spans:
            if stop <= position or first >= end:
                continue
            if first >= position:
                result += [self._buffer[position:first], MASK]
            elif not is_masked:
                result.append(MASK)
            position = stop
        if position < end:
            result.append(self._buffer[position:end])
        if end > self._returned:
            self._ends_masked = any(stop == end for _, stop in spans)
        self._returned = max(self._returned, end) - start
        self._buffer = self._buffer[start:]
        return b"".join(result)

    def _spans(self) -> list[tuple[int, int]]:
        """Return where secrets are in the buffer; those that overlap are one."""
        spans = []
        for text in self._texts:
            start = self._buffer.find(text)
            while start >= 0:
                spans.append((start, start + len(text)))
                start = self._buffer.find(text, start + 1)
        return _merged(spans)

    def _open_start(self) -> int:
        """Return where a secret may have begun whose end is missing; else the length."""
        length = len(self._buffer)
        earliest = length
        for text in self._texts:
            start = self._buffer.find(text[:1], max(0, length - len(text) + 1))
            while 0 <= start < earliest:
                if text.startswith(self._buffer[start:]):
                    earliest = start
                start = self._buffer.find(text[:1], start + 1)
        return earliest

    def _is_telling(self, beginning: bytes) -> bool:
        """Return whether this is more than half of a secret."""
        for text in self._texts:
            if text.startswith(beginning) and 2 * len(beginning) > len(text):
                return True
        return False


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if result and start < result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def copy(source: int, masker: Masker, write: Callable[[bytes], None]) -> None:
    """Copy what is read from a descriptor, without secrets, until its last writer exits."""
    while True:
        timeout = HOLD_SECONDS if masker.holds else None
        ready, _, _ = select.select([source], [], [], timeout)
        if not ready:
            write(masker.flush())
            continue
        data = os.read(source, _READ_BYTES)
        if not data:
            write(masker.flush())
            return
        write(masker.feed(data))


def write_all(target: int, data: bytes) -> None:
    """Write data to a descriptor.

    Raises:
        OSError: it cannot be written, at least not completely.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def main() -> None:
    """Copy standard input to standard output and to the file that the argument names.

    The secrets are the variables that RISEML_SECRETS lists.
    """
    values = []
    for name in os.environ.get("RISEML_SECRETS", "").split():
        values.append(os.fsencode(os.environ.get(name, "")))
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def write(data: bytes) -> None:
        for target in (1, log):
            try:
                write_all(target, data)
            except OSError:
                # The other copy continues.
                continue

    copy(0, Masker(forms(values)), write)


if __name__ == "__main__":
    main()
