"""Users' text: control characters in it, and excerpts that are safe to print."""

import re

# Both are the inside of a character class, in escapes that regular expressions of Python
# and of JSON Schema share.
CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
CONTROL_BUT_LINES = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"

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
    # A lone surrogate cannot be encoded.
    match = re.search(rf"[{control}\ud800-\udfff]", text)
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


def joined(name: str, key: str) -> str:
    """Return the full name of a key in a mapping; the file itself has no name."""
    return f"{name}.{key}" if name else key
