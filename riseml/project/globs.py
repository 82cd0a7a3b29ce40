r"""Pattern of a .gitignore as a regular expression over bytes.

    pattern         matches
    *.pyc           [^/]*\.pyc
    a/**/b          a/(?:.*/)?b
    **/x  x/**      (?:.*/)?x  x/.*
    [!a-c]?  \*    [\x00-\x2e\x30-\x60\x64-\xff][^/]  \*

It follows Git's wildmatch. It matches bytes, not characters. `**` means more than `*` only
between slashes. A broken pattern (an open bracket, a backslash at its end) matches nothing.

Functions that read one element of a pattern take the index of its first byte, and return
what they read with the index of the next element; None if the pattern is broken.
"""

import re
from collections.abc import Callable

_SPECIAL = frozenset(b"*?[\\")

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
# A pattern's beginning and end, where a slice is empty, limit a `**` as slashes do.
_BORDERS = frozenset({b"", b"/"})
_ALL_BYTES = frozenset(range(256))


def is_plain(pattern: bytes) -> bool:
    """Return whether a pattern has no special character, and so matches only itself."""
    return _SPECIAL.isdisjoint(pattern)


def translate(pattern: bytes) -> bytes | None:
    """Return the regular expression of a pattern that is relative to its folder.

    It is None for a pattern that never matches.
    """
    expressions = []
    index = 0
    while index < len(pattern):
        read = _READERS.get(pattern[index], _literal)
        step = read(pattern, index)
        if step is None:
            return None
        expression, index = step
        expressions.append(expression)
    return b"".join(expressions)


def _literal(pattern: bytes, index: int) -> tuple[bytes, int]:
    return re.escape(pattern[index : index + 1]), index + 1


def _question_mark(_pattern: bytes, index: int) -> tuple[bytes, int]:
    return b"[^/]", index + 1


def _backslash(pattern: bytes, index: int) -> tuple[bytes, int] | None:
    escaped = pattern[index + 1 : index + 2]
    return (re.escape(escaped), index + 2) if escaped else None


def _stars(pattern: bytes, index: int) -> tuple[bytes, int]:
    stars = len(pattern) - index - len(pattern[index:].lstrip(b"*"))
    end = index + stars
    after_slash = pattern[index - 1 : index] in _BORDERS
    before_slash = pattern[end : end + 1] in _BORDERS
    is_double = stars > 1 and after_slash and before_slash
    if not is_double:
        return b"[^/]*", end
    if end == len(pattern):
        return b".*", end
    return b"(?:.*/)?", end + 1


def _bracket(pattern: bytes, index: int) -> tuple[bytes, int] | None:
    """Read a character class; its expression lists every byte."""
    index += 1
    is_negated = pattern[index : index + 1] in {b"!", b"^"}
    index += is_negated
    members: set[int] = set()
    previous = 0
    is_first = True
    # A bracket right at the beginning is a member.
    while is_first or pattern[index : index + 1] != b"]":
        step = _member(pattern, index, previous, members)
        if step is None:
            return None
        previous, index = step
        is_first = False
    matching = _ALL_BYTES - members if is_negated else members
    # A class never matches a slash, not even a negated one.
    escapes = [b"\\x%02x" % byte for byte in sorted(matching - {_SLASH})]
    expression = b"[%b]" % b"".join(escapes) if escapes else b"(?!)"
    return expression, index + 1


def _member(
    pattern: bytes, index: int, previous: int, members: set[int]
) -> tuple[int, int] | None:
    """Add one member of a class.

    Return the byte from which a following `-` counts, and the next index.
    """
    if pattern[index : index + 2] == b"[:":
        return _named_class(pattern, index, members)
    is_range = previous and _is_range_sign(pattern, index)
    index += bool(is_range)
    index += pattern[index : index + 1] == b"\\"
    if index >= len(pattern):
        return None
    byte = pattern[index]
    if is_range:
        members.update(range(previous, byte + 1))
        return 0, index + 1
    members.add(byte)
    return byte, index + 1


def _is_range_sign(pattern: bytes, index: int) -> bool:
    """Return whether there is a `-` with an end of the range after it."""
    end = pattern[index + 1 : index + 2]
    return pattern[index : index + 1] == b"-" and end not in {b"", b"]"}


def _named_class(
    pattern: bytes, index: int, members: set[int]
) -> tuple[int, int] | None:
    """Add the bytes of a class such as `[:alpha:]`."""
    end = pattern.find(b"]", index + 2)
    if end < 0:
        return None
    if end == index + 2 or pattern[end - 1] != ord(":"):
        # Without the second colon it is only a bracket.
        members.add(ord("["))
        return ord("["), index + 1
    expression = _CLASSES.get(pattern[index + 2 : end - 1])
    if expression is None:
        return None
    matches = re.findall(expression, bytes(sorted(_ALL_BYTES)))
    members.update(match[0] for match in matches)
    return 0, end + 1


_READERS: dict[int, Callable[[bytes, int], tuple[bytes, int] | None]] = {
    ord("*"): _stars,
    ord("?"): _question_mark,
    ord("["): _bracket,
    ord("\\"): _backslash,
}
"""The functions that read an element, by its first byte; all other bytes are literals."""
