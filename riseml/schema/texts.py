"""Users' text: control characters in it, and excerpts that are safe to print."""

import re

# Both are the inside of a character class of a regular expression.
CONTROL = "\0-\x1f\x7f-\x9f\u2028\u2029"
CONTROL_BUT_LINES = "\0-\x08\x0b-\x1f\x7f-\x9f"

# Characters that move the cursor, change the direction of text or cannot be encoded. It is
# not compiled: only faulty files need it, and `re` caches what it compiles.
_UNPRINTABLE = (
    "[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_EXCERPT_CHARACTERS = 60


def control_in(text: str, *, lines: bool = False) -> str | None:
    """Return a character that moves a cursor or cannot be encoded, or None; `lines` allows line breaks."""
    if text.isprintable():
        return None
    control = CONTROL_BUT_LINES if lines else CONTROL
    match = re.search(f"[{control}\ud800-\udfff]", text)
    return match[0] if match else None


def printable(text: str) -> str:
    """Return text of the same length that neither moves the cursor nor changes colors."""
    return re.sub(_UNPRINTABLE, _REPLACEMENT, text)


def excerpt(text: str) -> str:
    """Return a user's text for a message: on one line, printable, and cut where it is long."""
    if not text.isprintable():
        text = printable(text[: _EXCERPT_CHARACTERS + 1])
    if len(text) <= _EXCERPT_CHARACTERS:
        return text
    return f"{text[: _EXCERPT_CHARACTERS - 1]}…"


def within(name: str) -> str:
    """Return the words for the mapping that contains something; none for the file itself."""
    return f" in {name}" if name else ""
