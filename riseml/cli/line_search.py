r"""Lines that match a regular expression, found in a block of lines at once.

    b"a 1\nb 2\na 3\n"  ── search for `a \d` ──▶  b"a 1\n", b"a 3\n"

A search of the whole block passes over lines that do not match at the speed of `re`. A
million lines of which few match take 0.1 s, and 0.8 s one by one. This needs a pattern
that never matches a line break, so patterns are rewritten: `[^x]` becomes `[^x\n]`. Where
that is not certain, each line is searched by itself.
"""

import re

# Parts of a pattern that match no line break, or can be rewritten so. Flags other than
# `(?i)` could change the meaning of other parts.
_PART = re.compile(
    rb"""
    \\s | \\D | \\W
    | \[ (?P<negation>\^?)
      (?P<members> (?: [^\n\\\[\]^&~|-] | (?<=\w)-(?=\w) | \\[dws.\]-] )+ -? ) \]
    | \\[dwSbt] | \\[!-/:-@\[-`{-~]
    | \(\?(?: [:=!>] | <[=!] | i\) ) | \((?!\?)
    | [^\n\\\[(]
    """,
    re.VERBOSE,
)
_REWRITTEN = {b"\\s": b"[ \\t\\r\\f\\v]", b"\\D": b"[^\\d\\n]", b"\\W": b"[^\\w\\n]"}


class LineSearch:
    """Search for the lines that match a pattern."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        text = _without_line_breaks(pattern.pattern)
        # `^` and `$` then match at the ends of every line.
        self._block_pattern = None if text is None else re.compile(text, re.MULTILINE)

    @property
    def is_fast(self) -> bool:
        """Whether the pattern is searched for in whole blocks."""
        return self._block_pattern is not None

    def matches(self, line: bytes) -> bool:
        """Return whether a line matches; it has no line break."""
        return self._pattern.search(line) is not None

    def lines(self, block: bytes) -> list[bytes]:
        """Return the lines that match, with their ends; `block` ends with a line break."""
        if self._block_pattern is None:
            lines = block[:-1].split(b"\n")
            return [line + b"\n" for line in lines if self.matches(line)]
        search = self._block_pattern.search
        matching = []
        position = 0
        # What follows the last line break is not a line.
        end = len(block) - 1
        while position <= end and (match := search(block, position, end)):
            start = block.rfind(b"\n", 0, match.start()) + 1
            position = block.index(b"\n", match.end()) + 1
            matching.append(block[start:position])
        return matching


def _without_line_breaks(pattern: bytes) -> bytes | None:
    """Return a pattern that matches the same within lines, and never a line break.

    None stands for a pattern that has a part of which this is not certain.
    """
    unknown = _PART.sub(b"", pattern)
    return None if unknown else _PART.sub(_rewritten, pattern)


def _rewritten(part: re.Match[bytes]) -> bytes:
    if part["members"] is None:
        return _REWRITTEN.get(part[0], part[0])
    members = part["members"].replace(b"\\s", b" \\t\\r\\f\\v")
    line_break = b"\\n" if part["negation"] else b""
    return b"[" + part["negation"] + line_break + members + b"]"
