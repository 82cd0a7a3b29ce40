r"""One pattern of a .gitignore as a regular expression over bytes.

    pattern         matches
    *.pyc           [^/]*\.pyc
    a/**/b          a/(?:.*/)?b
    **/x  x/**      (?:.*/)?x  x/.*
    [!a-c]?  \*    [\x00-\x2e\x30-\x60\x64-\xff][^/]  \*

As in Git's wildmatch: bytes, not characters; `**` means more than `*` only between slashes; a pattern that is broken
(an open bracket, a lone backslash at its end) matches nothing.
"""

import re

SPECIAL = b"*?[\\"

_CLASSES = {
    b"alnum": rb"[0-9A-Za-z]",
    b"alpha": rb"[A-Za-z]",
    b"blank": rb"[ \t]",
    b"cntrl": rb"[\x00-\x1f\x7f]",
    b"digit": rb"[0-9]",
    b"graph": rb"[!-~]",
    b"lower": rb"[a-z]",
    b"print": rb"[ -~]",
    b"punct": rb"[!-/:-@\[-`{-~]",
    b"space": rb"[ \t\n\v\f\r]",
    b"upper": rb"[A-Z]",
    b"xdigit": rb"[0-9A-Fa-f]",
}
_SLASH = ord("/")


def is_plain(pattern: bytes) -> bool:
    """Return whether a pattern has no special character, and so matches only itself."""
    return not any(byte in pattern for byte in SPECIAL)


def translate(pattern: bytes) -> bytes | None:
    """Return the regular expression of a pattern that is relative to its folder; None for one that never matches."""
    parts, at = [], 0
    while at < len(pattern):
        step = _bracket(pattern, at) if pattern[at] == ord("[") else _part(pattern, at)
        if step is None:
            return None
        part, at = step
        parts.append(part)
    return b"".join(parts)


def _part(pattern: bytes, at: int) -> tuple[bytes, int] | None:
    byte = pattern[at : at + 1]
    if byte == b"*":
        return _stars(pattern, at)
    if byte == b"?":
        return b"[^/]", at + 1
    if byte != b"\\":
        return re.escape(byte), at + 1
    escaped = pattern[at + 1 : at + 2]
    return (re.escape(escaped), at + 2) if escaped else None


def _stars(pattern: bytes, at: int) -> tuple[bytes, int]:
    end = at
    while pattern[end : end + 1] == b"*":
        end += 1
    between = (at == 0 or pattern[at - 1] == _SLASH) and pattern[end : end + 1] in {
        b"",
        b"/",
    }
    if end - at == 1 or not between:
        return b"[^/]*", end
    return (b".*", end) if end == len(pattern) else (b"(?:.*/)?", end + 1)


def _bracket(pattern: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the class that begins at `at`, spelt out byte by byte."""
    at += 1
    negated = pattern[at : at + 1] in {b"!", b"^"}
    at += negated
    members: set[int] = set()
    previous, first = 0, True
    while first or pattern[at : at + 1] != b"]":
        step = _member(pattern, at, previous, members)
        if step is None:
            return None
        previous, at = step
        first = False
    chosen = (set(range(256)) - members if negated else members) - {_SLASH}
    spelt = b"".join(b"\\x%02x" % byte for byte in sorted(chosen))
    return (b"[%b]" % spelt if chosen else b"(?!)"), at + 1


def _member(
    pattern: bytes, at: int, previous: int, members: set[int]
) -> tuple[int, int] | None:
    """Add what stands at `at` to the class; return what a following `-` would count from, and the next place."""
    if pattern[at : at + 2] == b"[:":
        return _named(pattern, at, members)
    is_range = (
        previous
        and pattern[at : at + 1] == b"-"
        and pattern[at + 1 : at + 2] not in {b"", b"]"}
    )
    at += bool(is_range)
    at += pattern[at : at + 1] == b"\\"
    if at >= len(pattern):
        return None
    byte = pattern[at]
    members.update(range(previous, byte + 1) if is_range else (byte,))
    return (0 if is_range else byte), at + 1


def _named(pattern: bytes, at: int, members: set[int]) -> tuple[int, int] | None:
    end = pattern.find(b"]", at + 2)
    if end < 0:
        return None
    if end == at + 2 or pattern[end - 1] != ord(":"):
        members.add(ord("["))
        return ord("["), at + 1
    expression = _CLASSES.get(pattern[at + 2 : end - 1])
    if expression is None:
        return None
    members.update(byte for byte in range(256) if re.match(expression, bytes((byte,))))
    return 0, end + 1
