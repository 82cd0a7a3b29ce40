"""Words of shell lines, as far as they can be known without running them.

"cd lib && pip install -r 'a b.txt'" ──commands──▶ [["cd", "lib"], ["pip", "install", "-r", "a b.txt"]]
"""

import re
import shlex
from collections.abc import Iterator
from itertools import groupby

_WORD = re.compile(r"[^\s'\"=;&|<>()`]+")
_SEPARATORS = frozenset(";&|()<>")
_COMPUTED = re.compile(r"[$`*?{]")


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a script, without quotes.

    Files that a command reads or writes count as commands of one word.
    """
    lines = text.replace("\\\n", " ").replace("\n", " ; ")
    lexer = shlex.shlex(lines, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    # `#` begins a comment only at the start of a word.
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        # A here-document may contain a single quote.
        words = names(text.replace("\n", " ; "))
    for is_separator, group in groupby(words, _SEPARATORS.issuperset):
        if not is_separator:
            yield list(group)


def names(text: str) -> list[str]:
    """Return the words in a text that may name files, such as both sides of `--file=a`."""
    return _WORD.findall(text)


def is_computed(word: str) -> bool:
    """Return whether only a shell knows what a word stands for."""
    return _COMPUTED.search(word) is not None
