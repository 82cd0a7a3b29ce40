"""Comparison of what a page shows with what a command prints.

What differs between machines and moments is replaced by a word: times, durations, sizes, hashes,
versions, digits after a decimal point. In what a page shows, a line `…` stands for any lines,
and `…` within a line for any text.
"""

import re
from collections.abc import Sequence

ELLIPSIS = "…"
_UNITS = r"(?:ms|s|sec|seconds?|min|minutes?|h|hours?|d|days?|weeks?)"
# In this order: what an earlier pattern replaces, a later one does not see.
_PATTERNS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b", "<hash>"),
        # A short one has digits and letters, or it might be a number or a word.
        (r"\b(?:[0-9a-f]{12,64}|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,11})\b", "<hash>"),
        (
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
            "<time>",
        ),
        (r"\b\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\b", "<time>"),
        # `riseml ls` shows bytes.
        (r"(<time> UTC\s+)\d+\b", r"\1<size>"),
        # Columns of an age and a duration may have one blank between them.
        (
            rf"(?:(?:<?\d+(?:\.\d+)? ?{_UNITS}\b|\bjust now\b) ?)+(?: ago\b)?",
            "<duration> ",
        ),
        (r"\b\d+(?:\.\d+)? ?(?:[kKMGT]i?)?B\b", "<size>"),
        # The latter is that of a checkout which nobody has installed.
        (r"\bv?\d+\.\d+\.\d+(?:[\w.+-]*\w)?|\b0\+unknown\b", "<version>"),
        # The id of an experiment begins a line, or follows a word for it.
        (r"(^\W*|\b(?:experiments?|job|of) )(\d+)\.(\d+)\b", r"\1\2:\3"),
        (r"(\b\d+)\.\d+(?:e[+-]?\d+)?\b", r"\1.<digits>"),
        (r"-?\b\d+e[+-]?\d+\b", "<number>"),
        (r"\bpid \d+", "pid <number>"),
        (r"\b(localhost|127\.0\.0\.1|<version>):\d{4,5}\b", "<address>"),
        (r"[█▇▆▅▄▃▂▁▏▎▍▌▋▊▉░━╸╺]+", "<bar>"),
        (r"[─-]{3,}", "<rule>"),
        (r"\s+", " "),
    )
]

# Whether these lines appear depends on how busy the machine is.
_TRANSIENT = re.compile(
    r"^(?:\S+ \| )?--> (?:CREATED|BUILDING|PENDING|STARTING|RUNNING)$|^Preparing the code \d+%"
)


def normalized(line: str) -> str:
    """Return a line with a word in place of everything that changes from run to run."""
    for pattern, replacement in _PATTERNS:
        line = pattern.sub(replacement, line)
    return line.strip()


def is_same(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Return whether a page shows what a command prints."""
    expected, actual = _lines(shown), _lines(printed)
    expression = "".join(map(_expression, expected))
    text = "".join(line + "\n" for line in actual)
    return re.fullmatch(expression, text) is not None


def is_similar(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Return whether at least half of the words that a page shows are printed."""
    words = _words(shown)
    if not words:
        return not _words(printed)
    common = words & _words(printed)
    return 2 * len(common) >= len(words)


def _words(lines: Sequence[str]) -> set[str]:
    return set(re.findall(r"[A-Za-z]\w+", " ".join(map(normalized, lines))))


def _expression(line: str) -> str:
    if line == ELLIPSIS:
        return r"(?:.*\n)*?"
    return ".*".join(re.escape(text) for text in line.split(ELLIPSIS)) + r"\n"


def _lines(lines: Sequence[str]) -> list[str]:
    """Return the lines that have to be the same, normalized."""
    kept = []
    for line in map(normalized, lines):
        if not _TRANSIENT.search(line):
            kept.append(line)
    return _without_empty_ends(kept)


def _without_empty_ends(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    while lines and not lines[0]:
        lines = lines[1:]
    return lines
