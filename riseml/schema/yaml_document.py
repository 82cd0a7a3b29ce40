"""YAML document: its nodes with positions, and the faults noted about them.

Readers get nodes (`yaml.nodes`), whose `tag` is one of `yaml_kinds`, and note every fault,
so that a user sees all of them at once.
"""

import re
from collections.abc import Callable
from typing import NoReturn, TypeGuard

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode

from riseml.errors import ConfigError, Fault
from riseml.excerpts import excerpt, printable
from riseml.schema import yaml_parser
from riseml.schema.foreign_nodes import ForeignMark
from riseml.schema.texts import within
from riseml.schema.yaml_kinds import MAP, STR, is_scalar, items_of

# Line ends as YAML counts them. These patterns are not compiled: only faulty files need
# them, and `re` caches what it compiles.
_LINE_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"
# Characters that YAML does not allow; the first pattern is faster, for ASCII text.
_FORBIDDEN_ASCII = "[^\t\n\r -~]"
_FORBIDDEN = "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
# Further faults of one severity are only counted.
_MAX_FAULTS = 500
# Longer chains of merged mappings would overflow the stack.
_MAX_MERGES = 100

Entries = dict[str, tuple[ScalarNode, Node]]
"""The keys of a mapping, with the nodes of key and value."""


class Position:
    """A point of the text; line and column count from 0, as in PyYAML's marks."""

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


class Document:
    """A YAML file while it is read, with the faults noted so far.

    `parent_of` returns the name of the mapping that a misplaced key belongs in, if there is
    only one.
    """

    def __init__(
        self,
        file: str,
        text: str,
        parent_of: Callable[[str], str | None] = lambda _key: None,
    ) -> None:
        self.file = file
        self.text = text
        self.parent_of = parent_of
        # A dictionary keeps the order and drops repetitions, which aliases cause.
        self._faults: dict[Fault, None] = {}
        self._counts = {"error": 0, "warning": 0, "note": 0}
        self._lines: list[str] | None = None
        self._merge_depth = 0
        # Each node is kept beside its entries, so that its id stays unique.
        self._entries: dict[tuple[int, Callable[[str], str]], tuple[Node, Entries]] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All faults, sorted by position; of very many, the number of further ones."""
        faults = sorted(self._faults, key=lambda fault: (fault.line, fault.column))
        for severity, count in self._counts.items():
            if count > _MAX_FAULTS:
                last = faults[-1]
                message = f"{count - _MAX_FAULTS:,} more like this are not listed"
                faults.append(
                    Fault(self.file, last.line, last.column, message, severity)
                )
        return tuple(faults)

    @property
    def is_full(self) -> bool:
        """Whether further errors are only counted, and need no advice."""
        return self._counts["error"] > _MAX_FAULTS

    @property
    def errors(self) -> int:
        """The number of errors."""
        return self._counts["error"]

    def error(
        self,
        position: Node | Position,
        message: str,
        advice: str = "",
        *,
        substring: str = "",
    ) -> None:
        """Note an error; `substring` is the faulty part of a scalar."""
        self._note("error", position, message, advice, substring)

    def warn(
        self,
        position: Node | Position,
        message: str,
        advice: str = "",
        *,
        substring: str = "",
    ) -> None:
        """Note something that is probably a mistake; `substring` is the faulty part of a scalar."""
        self._note("warning", position, message, advice, substring)

    def deprecate(
        self, position: Node | Position, message: str, advice: str = ""
    ) -> None:
        """Note an old way to write something."""
        self._note("note", position, message, advice)

    def position(self, index: int) -> Position:
        """Return the position of a character of the text."""
        lines = re.split(_LINE_BREAK, self.text[:index])
        return Position(len(lines) - 1, len(lines[-1]))

    def looks_like_placeholder(self, node: Node) -> bool:
        """Return whether a flow mapping is an unquoted `{{name}}`."""
        return self.text.startswith("{{", node.start_mark.index)

    def is_mapping(self, node: Node) -> TypeGuard[MappingNode]:
        """Return whether a node is a plain mapping, neither tagged nor an unquoted `{{name}}`."""
        is_plain = isinstance(node, MappingNode) and node.tag == MAP
        return is_plain and not self.looks_like_placeholder(node)

    def root(self) -> Node | None:
        """Parse the text; return None if it is empty.

        Raises:
            ConfigError: it is not YAML, or has more than one document.
        """
        self._refuse_characters()
        try:
            return yaml_parser.parse(self.text)
        except MarkedYAMLError as error:
            mark = yaml_parser.mark_of(error, self.text)
            position = Position(mark.line, mark.column) if mark else Position(0, 0)
            message, advice = yaml_parser.explain(
                error,
                self._line(position.line),
                position.column,
                is_unclosed=mark is not None and mark is error.context_mark,
            )
            self._refuse(position, message, advice)

    def entries(
        self, node: MappingNode, name: str, key: Callable[[str], str] = str
    ) -> Entries:
        """Return the entries of a mapping, including merged ones (`<<`); note duplicate keys.

        `key` maps the spellings of a key to one. A key that is not text is an error.
        """
        cached = self._entries.get((id(node), key))
        if cached is not None:
            return cached[1]
        entries: Entries = {}
        merged: Entries = {}
        # Cached before it is complete, since a mapping may be merged into itself.
        self._entries[id(node), key] = (node, entries)
        for key_node, value in node.value:
            if not is_scalar(key_node, STR):
                self._wrong_key(key_node, name)
                continue
            if key_node.value == "<<" and not key_node.style:
                merged = {**self._merged(value, name, key), **merged}
                continue
            spelling = key(key_node.value)
            if spelling in entries:
                self._duplicate(key_node, entries[spelling][0], name)
            else:
                entries[spelling] = key_node, value
        for spelling, entry in merged.items():
            entries.setdefault(spelling, entry)
        return entries

    def _refuse_characters(self) -> None:
        forbidden = _FORBIDDEN_ASCII if self.text.isascii() else _FORBIDDEN
        match = re.search(forbidden, self.text)
        if match:
            self._refuse(
                self.position(match.start()),
                f"the character U+{ord(match[0]):04X} is not allowed in YAML",
            )

    def _merged(self, value: Node, name: str, key: Callable[[str], str]) -> Entries:
        """Return the entries of the mappings that `<<` names; earlier ones win."""
        merged: Entries = {}
        self._merge_depth += 1
        for node in items_of(value):
            if self._merge_depth > _MAX_MERGES:
                self.error(
                    node,
                    f"more than {_MAX_MERGES} mappings are merged into each other",
                )
            elif isinstance(node, MappingNode):
                merged = {**self.entries(node, name, key), **merged}
            else:
                self.error(
                    node, "'<<' merges only mappings", "Write for example <<: *name."
                )
        self._merge_depth -= 1
        return merged

    def _wrong_key(self, node: Node, name: str) -> None:
        if self.looks_like_placeholder(node) or isinstance(node, MappingNode):
            self.error(node, "a mapping cannot be a key", yaml_parser.QUOTE_BRACES)
            return
        if isinstance(node, ScalarNode):
            text = excerpt(node.value)
            self.error(
                node,
                f"the key {text or 'null'}{within(name)} is not text",
                f'Put it in quotes: "{text}".' if node.value else "",
            )
            return
        self.error(node, f"a list cannot be a key{within(name)}")

    def _duplicate(self, second: ScalarNode, first: ScalarNode, name: str) -> None:
        spelling = ""
        if second.value != first.value:
            spelling = f" as '{excerpt(first.value)}'"
        self.error(
            second,
            f"duplicate key '{excerpt(second.value)}'{within(name)}",
            f"It is already in line {first.start_mark.line + 1}{spelling}.",
        )

    def _note(
        self,
        severity: str,
        position: Node | Position,
        message: str,
        advice: str,
        substring: str = "",
    ) -> None:
        self._counts[severity] += 1
        if self._counts[severity] > _MAX_FAULTS:
            return
        if isinstance(position, Node):
            mark = position.start_mark
            if isinstance(mark, ForeignMark):
                self._note_foreign(severity, mark, message, advice)
                return
            position = self._position_in(position, substring)
        # libyaml may report a line after the last one.
        if position.line and position.line >= len(self._all_lines()):
            position = self.position(len(self.text))
        fault = Fault(
            self.file,
            position.line + 1,
            position.column + 1,
            message,
            severity,
            self._line(position.line),
            advice,
        )
        self._faults[fault] = None

    def _note_foreign(
        self, severity: str, mark: ForeignMark, message: str, advice: str
    ) -> None:
        line, column = mark.line + 1, mark.column + 1
        fault = Fault(mark.name, line, column, message, severity, mark.source, advice)
        self._faults[fault] = None

    def _position_in(self, node: Node, substring: str) -> Position:
        """Return the position of a substring of a node, of the node itself where it is not found."""
        start = node.start_mark
        index = start.index
        if substring:
            index = self.text.find(substring, start.index, node.end_mark.index)
        if index <= start.index:
            return Position(start.line, start.column)
        lines = re.split(_LINE_BREAK, self.text[start.index : index])
        column = len(lines[-1])
        # Columns of the node's first line count from the beginning of that line.
        if len(lines) == 1:
            column += start.column
        return Position(start.line + len(lines) - 1, column)

    def _refuse(self, position: Position, message: str, advice: str = "") -> NoReturn:
        self.error(position, message, advice)
        raise ConfigError(self.faults)

    def _line(self, number: int) -> str:
        lines = self._all_lines()
        return lines[number] if number < len(lines) else ""

    def _all_lines(self) -> list[str]:
        # Only a fault needs the lines.
        if self._lines is None:
            lines = re.split(_LINE_BREAK, self.text)
            self._lines = list(map(printable, lines))
        return self._lines
