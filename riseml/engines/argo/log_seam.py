r"""Where the beginning of one text is in another one, although carriage returns differ.

copy   epoch 1\r\n  epoch 2\r\n  epoch 3\r\n
pod                              epoch 3\n   epoch 4\n
"""

import re

_LINE_END = re.compile(rb"\r+\n")


def last_position(text: bytes, longer: bytes) -> int | None:
    """Return the last position at which `longer` contains a text, None if it does not."""
    plain = _plain(longer)
    position = plain.rfind(_plain(text)) if text else -1
    return None if position < 0 else _raw_position(position, plain, longer)


def only_start(text: bytes, longer: bytes) -> int | None:
    """Return the only position of `longer` from which on both texts are the same.

    `longer` may end before the text does. It is None if there are several such
    positions, or none.
    """
    plain, plain_text = _plain(longer), _plain(text)
    first_line = plain_text[: plain_text.find(b"\n") + 1]
    start = None
    position = plain.find(first_line) if first_line else -1
    while position >= 0:
        length = min(len(plain) - position, len(plain_text))
        if plain.startswith(plain_text[:length], position):
            if start is not None:
                return None
            start = position
        position = plain.find(first_line, position + 1)
    return None if start is None else _raw_position(start, plain, longer)


def _raw_position(position: int, plain: bytes, text: bytes) -> int:
    """Return the position in a text that corresponds to one in its plain form."""
    lines = plain.count(b"\n", 0, position)
    rest = position - (plain.rfind(b"\n", 0, position) + 1)
    return after_lines(text, lines) + rest


def ends_with(longer: bytes, text: bytes) -> bool:
    """Return whether a text is the end of another one."""
    return _plain(longer).endswith(_plain(text))


def after_lines(text: bytes, lines: int) -> int:
    """Return the position after so many lines of a text that has them."""
    if not lines:
        return 0
    remainder = text.split(b"\n", lines)[lines]
    return len(text) - len(remainder)


def _plain(text: bytes) -> bytes:
    """Return text without the carriage returns that Kubernetes may drop."""
    if b"\r\n" not in text:
        return text
    return _LINE_END.sub(b"\n", text)
