"""Users' text: control characters in it, and full names of keys."""

import re

# Both are the inside of a character class, in escapes that regular expressions of Python
# and of JSON Schema share.
CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
CONTROL_BUT_LINES = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"


def control_in(text: str, *, lines: bool = False) -> str | None:
    """Return a character that moves a cursor or cannot be encoded, or None; `lines` allows line breaks."""
    if text.isprintable():
        return None
    control = CONTROL_BUT_LINES if lines else CONTROL
    # A lone surrogate cannot be encoded.
    match = re.search(rf"[{control}\ud800-\udfff]", text)
    return match[0] if match else None


def within(name: str) -> str:
    """Return the words for the mapping that contains something; none for the file itself."""
    return f" in {name}" if name else ""


def joined(name: str, key: str) -> str:
    """Return the full name of a key in a mapping; the file itself has no name."""
    return f"{name}.{key}" if name else key
