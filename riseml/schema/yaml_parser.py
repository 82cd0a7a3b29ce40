"""YAML parser: PyYAML's, in C where it is available, and its errors in words of our own.

Nodes are composed but never constructed, so a file cannot run code.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from yaml.composer import Composer
from yaml.error import MarkedYAMLError
from yaml.nodes import Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from riseml.excerpts import excerpt
from riseml.schema.yaml_kinds import MAP, SEQ, STR, kind_of

# Deeper nesting is a mistake, and would overflow the stack of the parser in C.
MAX_DEPTH = 100

QUOTE_BRACES = "A value that begins with {{ must be in quotes."
_BRACES_FIRST = r"(?:^|[:-])\s*\{\{"

# The words of PyYAML's own messages.
_STRAY_TEXT = "could not find expected ':'"
_SECOND_DOCUMENT = "another document"
_BAD_START = "cannot start any token"

_NO_TABS = "YAML allows only spaces for indentation."
# By words of our messages.
_ADVICE: Mapping[str, str] = {
    "a tab indents": _NO_TABS,
    "a value cannot begin": "Put the value in quotes.",
    "key: value": "Is the indentation right? A list's lines begin with '- '.",
    "second document": "Remove the line '---' and what does not belong in the file.",
    "mapping values": "Is the indentation right? A value that contains ': ' must be in quotes.",
    "expected key": "Is the indentation right? Keys that belong together begin in the same column.",
    "expected '-'": "Is the indentation right? The '-' of one list begin in the same column.",
    "expected <block end>": "Is the indentation right? Lines that belong together begin in the same column.",
    "alias": "'*' at the beginning of a value names an anchor; put the value in quotes.",
    "unknown escape": r"In double quotes '\' begins an escape; single quotes keep it.",
    "not closed": "Its end is missing, or is in another line than you think.",
    "tab character": _NO_TABS,
    "expected ',' or": "A list or mapping in brackets is not closed before this, or a ',' is missing.",
    "nesting": "Such a file never needs so many.",
}


def parse(text: str) -> Node | None:
    """Return the only document of a text, or None where it has none.

    Raises:
        MarkedYAMLError: the text is not YAML, nested too deeply, or has a second document.
    """
    node: Node | None = _loader()(text).get_single_node()
    return node


def mark_of(error: MarkedYAMLError, text: str) -> Any:
    """Return the mark that helps most: the beginning of something whose end is missing.

    None means that the error has no mark.
    """
    # PyYAML reports a missing end where it stopped to look for it, often at the end of the file.
    mark = error.problem_mark
    is_at_end = mark is None or not text[mark.index :].strip()
    if is_at_end or _STRAY_TEXT in str(error.problem):
        return error.context_mark or mark
    return mark


def explain(
    error: MarkedYAMLError, line: str, column: int, *, is_unclosed: bool
) -> tuple[str, str]:
    """Return message and advice in words for users.

    The error is reported at a column (from 0) of a line. `is_unclosed` means that what
    begins there has no end.
    """
    character = line[column : column + 1]
    message = _message(error, character, is_unclosed=is_unclosed)
    if re.search(_BRACES_FIRST, line):
        return message, QUOTE_BRACES
    for words, advice in _ADVICE.items():
        if words in message:
            return message, advice
    return message, ""


def _message(error: MarkedYAMLError, character: str, *, is_unclosed: bool) -> str:
    problem = str(error.problem)
    if _SECOND_DOCUMENT in problem:
        return "a second document begins here"
    if _STRAY_TEXT in problem:
        return "this is not a 'key: value'"
    if is_unclosed:
        return "the value that begins here is not closed"
    if _BAD_START in problem:
        if character == "\t":
            return "a tab indents this line"
        return f"a value cannot begin with '{excerpt(character)}'"
    message = problem.partition(" (")[0]
    if error.context_mark:
        message += (
            f", {error.context} that begins in line {error.context_mark.line + 1}"
        )
    return message


class Resolver:
    """The methods that PyYAML's parsers and serializer call for the tags of nodes."""

    depth = 0

    def resolve(self, kind: type[Node], value: str, implicit: tuple[bool, bool]) -> str:
        """Return the tag of a node that has none; `implicit` starts with whether it is plain."""
        if kind is ScalarNode:
            return kind_of(value) if implicit[0] else STR
        return SEQ if kind is SequenceNode else MAP

    def descend_resolver(self, parent: Node | None, _index: Any) -> None:
        """Begin a level; raise an error if there are too many."""
        self.depth += 1
        if self.depth > MAX_DEPTH and parent is not None:
            raise MarkedYAMLError(
                problem=f"more than {MAX_DEPTH} levels of nesting",
                problem_mark=parent.start_mark,
            )

    def ascend_resolver(self) -> None:
        """End a level."""
        self.depth -= 1


class _PureLoader(Resolver, Reader, Scanner, Parser, Composer):
    """Parser in Python, for a PyYAML that was built without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


def _loader() -> Callable[[str], Any]:
    try:
        # This module exists only where PyYAML was built with libyaml.
        from yaml._yaml import CParser  # noqa: PLC0415
    except ImportError:
        return _PureLoader
    return type("_Loader", (Resolver, CParser), {})
