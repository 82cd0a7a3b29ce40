"""Excerpts of users' text in messages: on one line, printable, and short.

Every message of an error goes through `readable`, so a value that was quoted as it is
does neither move the cursor nor fill the screen.
"""

import re
from collections.abc import Iterable, Sequence

# Characters that move the cursor, change the direction of text or cannot be encoded. It is
# not compiled: only faulty input needs it, and `re` caches what it compiles.
_UNPRINTABLE = (
    "[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_EXCERPT_CHARACTERS = 60
LONGEST = 200
"""Characters of the longest value that a message quotes, such as a path."""
# None of our own sentences is so long.
_LINE_CHARACTERS = 800


def printable(text: str) -> str:
    """Return text of the same length that neither moves the cursor nor changes colors."""
    return re.sub(_UNPRINTABLE, _REPLACEMENT, text)


def excerpt(text: str, length: int = _EXCERPT_CHARACTERS) -> str:
    """Return a user's text for a message: on one line, printable, and cut where it is long."""
    if not text.isprintable():
        text = printable(text[: length + 1])
    if len(text) <= length:
        return text
    return f"{text[: length - 1]}…"


def listed(words: Iterable[str], blank: str = "none") -> str:
    """Return words with commas between them, `blank` if there are none."""
    return ", ".join(words) or blank


def first_of(words: Sequence[str], most: int) -> str:
    """Return words as `a, b, ...`: at most the first `most`, and dots for the others."""
    others = ["..."] if len(words) > most else []
    return ", ".join([*words[:most], *others])


def counted(words: Sequence[str], most: int) -> str:
    """Return words as `a, b and 3 more`: at most the first `most`, and how many others there are."""
    others = len(words) - most
    listed = ", ".join(words[:most])
    return f"{listed} and {others} more" if others > 0 else listed


def with_excerpts(message: str, texts: Iterable[str]) -> str:
    """Return a message with excerpts of users' texts instead of those that are not short and printable."""
    for text in texts:
        if len(text) > LONGEST or not text.isprintable():
            message = message.replace(text, excerpt(text))
    return message


def readable(message: str) -> str:
    """Return a message that is safe to print, whatever it quotes; its lines remain."""
    if len(message) <= LONGEST and message.isprintable():
        return message
    lines = []
    for line in message.split("\n"):
        words = re.sub(rf"'[^']{{{LONGEST},}}'", _shorten, printable(line))
        words = re.sub(rf"\S{{{LONGEST + 1},}}", _shorten, words)
        lines.append(_middle_cut(words, _LINE_CHARACTERS))
    return "\n".join(lines)


def _shorten(match: re.Match[str]) -> str:
    return _middle_cut(match[0], LONGEST)


def _middle_cut(text: str, length: int) -> str:
    """Return the beginning and the end of a long text."""
    if len(text) <= length:
        return text
    end = length // 3
    return f"{text[: length - end - 1]}…{text[-end:]}"
