"""A YAML 1.2 text with places: its nodes, and the faults found in it.

PyYAML scans and parses, in C where it can; what a scalar means is YAML's core schema (`kind_of`), so that `yes` is text
and `1e-6` a number. Nothing is ever constructed: readers take the nodes, whose `tag` is one of the kinds below.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from yaml.composer import Composer
from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from riseml.errors import ConfigError, Fault

STR, INT, FLOAT, BOOL, NULL, SEQ, MAP = (
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "int", "float", "bool", "null", "seq", "map")
)
CONTROL = (
    # Characters within a class of a regular expression
    "\0-\x1f\x7f-\x9f\u2028\u2029"
)
CONTROL_BUT_LINES = "\0-\x08\x0b-\x1f\x7f-\x9f"
# Levels that nobody means; deeper ones would overflow the stack of the C parser
DEPTH = 100

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), NULL),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), BOOL),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+").fullmatch
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
).fullmatch
# Texts, not compiled: needed for faulty files only, and `re` keeps what it compiled.
# Line ends as YAML counts them
_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"
_FORBIDDEN_ASCII = "[^\t\n\r -~]"
_FORBIDDEN = "[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_UNPRINTABLE = (
    "[\0-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_BRACES_FIRST = r"(?:^|[:-])\s*\{\{"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SHOWN = 60
# Of one file; more are counted only
_MOST_FAULTS = 500
# Of a number; more cannot be meant
_DIGITS = 40
_EXPONENT = 300

Entries = dict[str, tuple[ScalarNode, Node]]


def kind_of(text: str) -> str:
    """Return what a plain scalar is in YAML's core schema."""
    if (word := _WORDS.get(text)) is not None:
        return word
    if text[0] in "0123456789.+-":
        return INT if _INT(text) else FLOAT if _FLOAT(text) else STR
    return STR


def decimal_of(text: str) -> Decimal | None:
    """Return the value of a number as YAML writes it; None where it is none, infinite, or absurdly long or large."""
    if len(text) > _DIGITS:
        return None
    if text.isdecimal() and text.isascii():
        return Decimal(text)
    if (kind := kind_of(text)) not in (INT, FLOAT):
        return None
    if kind == INT and text[:2] in ("0x", "0o"):
        return Decimal(int(text, 0))
    if text[-1] in "fFnN":
        return None
    number = Decimal(text)
    return number if abs(number.adjusted()) <= _EXPONENT else None


def control_in(text: str, *, lines: bool = False) -> str | None:
    """Return a character that moves a cursor or cannot be written, None where there is none; `lines` may be broken."""
    if text.isprintable():
        return None
    odd = re.search(f"[{CONTROL_BUT_LINES if lines else CONTROL}\ud800-\udfff]", text)
    return odd[0] if odd else None


def printable(text: str) -> str:
    """Return text that moves no cursor, changes no colour and has as many characters as before."""
    return re.sub(_UNPRINTABLE, _REPLACEMENT, text)


def excerpt(text: str) -> str:
    """Return user's text for a message: on one line, printable, and cut where it is long."""
    if not text.isprintable():
        text = printable(text[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def within(name: str) -> str:
    """Say which mapping something is in; the file itself needs no words."""
    return f" in {name}" if name else ""


class Position:
    """A point of the text; line and column count from 0, as PyYAML's marks do."""

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column


class Document:
    """A riseml.yml being read: where every fault is noted, so that all are told at once."""

    def __init__(
        self,
        file: str,
        text: str,
        belongs: Callable[[str], str | None] = lambda _key: None,
    ) -> None:
        self.file = file
        self.text = text
        # The mapping that a misplaced key belongs in
        self.belongs = belongs
        self._faults: dict[Fault, None] = {}
        self._noted = {"error": 0, "warning": 0, "note": 0}
        self._lines: list[str] | None = None
        self._merging = 0
        self._entries: dict[tuple[int, Callable[[str], str]], tuple[Node, Entries]] = {}

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything wrong or doubtful, sorted by place."""
        faults = sorted(self._faults, key=lambda fault: (fault.line, fault.column))
        for severity, count in self._noted.items():
            if count > _MOST_FAULTS:
                last, more = (
                    faults[-1],
                    f"{count - _MOST_FAULTS:,} more like this are not told",
                )
                faults.append(Fault(self.file, last.line, last.column, more, severity))
        return tuple(faults)

    @property
    def is_full(self) -> bool:
        """Whether further errors are counted only, and need no advice."""
        return self._noted["error"] > _MOST_FAULTS

    @property
    def errors(self) -> int:
        """The number of errors."""
        return self._noted["error"]

    def error(
        self, place: Node | Position, message: str, advice: str = "", *, at: str = ""
    ) -> None:
        """Note something that cannot be meant; `at` is the part of a scalar that is wrong."""
        self._note("error", place, message, advice, at)

    def warn(
        self, place: Node | Position, message: str, advice: str = "", *, at: str = ""
    ) -> None:
        """Note something that is probably not meant."""
        self._note("warning", place, message, advice, at)

    def deprecate(self, place: Node | Position, message: str, advice: str = "") -> None:
        """Note something that is said in an old way."""
        self._note("note", place, message, advice)

    def position(self, index: int) -> Position:
        """Return where a character of the text stands."""
        lines = re.split(_BREAK, self.text[:index])
        return Position(len(lines) - 1, len(lines[-1]))

    def looks_like_placeholder(self, node: Node) -> bool:
        """Whether a flow mapping is what the user meant as `{{name}}`."""
        return self.text.startswith("{{", node.start_mark.index)

    def root(self) -> Node | None:
        """Parse the text; None where it holds nothing.

        Raises:
            ConfigError: it is no YAML, or holds more than one document.
        """
        if odd := re.search(
            _FORBIDDEN_ASCII if self.text.isascii() else _FORBIDDEN, self.text
        ):
            self._refuse(
                self.position(odd.start()),
                f"the character U+{ord(odd[0]):04X} is not allowed in YAML",
            )
        try:
            return _loader()(self.text).get_single_node()  # type: ignore[no-any-return]
        except MarkedYAMLError as error:
            mark = self._mark(error)
            place = Position(mark.line, mark.column) if mark else Position(0, 0)
            unclosed = mark is not None and mark is error.context_mark
            self._refuse(
                place,
                *_explain(
                    error, self._line(place.line), place.column, unclosed=unclosed
                ),
            )

    def entries(
        self, node: MappingNode, name: str, key: Callable[[str], str] = str
    ) -> Entries:
        """Return the values of a mapping by their keys, with merged (`<<`) ones; note keys given twice or no text.

        `key` says which spellings of a key are the same.
        """
        if (known := self._entries.get((id(node), key))) is not None:
            return known[1]
        entries: Entries = {}
        merged: Entries = {}
        self._entries[id(node), key] = (
            node,
            entries,
        )  # before it is full: a mapping may be merged into itself
        for key_node, value in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag != STR:
                self._wrong_key(key_node, name)
            elif key_node.value == "<<" and not key_node.style:
                merged = {**self._merged(value, name, key), **merged}
            elif (same := key(key_node.value)) in entries:
                self._twice(key_node, entries[same][0], name)
            else:
                entries[same] = key_node, value
        for same, entry in merged.items():
            entries.setdefault(same, entry)
        return entries

    def _mark(self, error: MarkedYAMLError) -> Any:
        """Return the point that helps most: where something begins, if its end is what was not found."""
        mark = error.problem_mark
        at_end = mark is None or not self.text[mark.index :].strip()
        return (
            error.context_mark if at_end or _STRAY in str(error.problem) else None
        ) or mark

    def _merged(self, value: Node, name: str, key: Callable[[str], str]) -> Entries:
        merged: Entries = {}
        self._merging += 1
        for part in value.value if isinstance(value, SequenceNode) else [value]:
            if self._merging > DEPTH:
                self.error(
                    part, f"more than {DEPTH} mappings are merged into each other"
                )
            elif isinstance(part, MappingNode):
                merged = {**self.entries(part, name, key), **merged}
            else:
                self.error(
                    part, "'<<' merges mappings only", "Write for example <<: *name."
                )
        self._merging -= 1
        return merged

    def _wrong_key(self, node: Node, name: str) -> None:
        if self.looks_like_placeholder(node) or isinstance(node, MappingNode):
            message, advice = (
                "a mapping is no key",
                "A value that begins with {{ must be in quotes.",
            )
        elif isinstance(node, ScalarNode):
            message = (
                f"the key {excerpt(node.value) or 'null'}{within(name)} is no text"
            )
            advice = f'Put it in quotes: "{excerpt(node.value)}".' if node.value else ""
        else:
            message, advice = f"a list is no key{within(name)}", ""
        self.error(node, message, advice)

    def _twice(self, second: ScalarNode, first: ScalarNode, name: str) -> None:
        what = f"duplicate key '{excerpt(second.value)}'{within(name)}"
        spelling = (
            "" if second.value == first.value else f" as '{excerpt(first.value)}'"
        )
        self.error(
            second,
            what,
            f"It is in line {first.start_mark.line + 1} already{spelling}.",
        )

    def _note(
        self,
        severity: str,
        place: Node | Position,
        message: str,
        advice: str,
        part: str = "",
    ) -> None:
        self._noted[severity] += 1
        if self._noted[severity] > _MOST_FAULTS:
            return
        at = self._find(place, part) if isinstance(place, Node) else place
        if at.line and at.line >= len(
            self._all_lines()
        ):  # libyaml counts a line more than there are
            at = self.position(len(self.text))
        source = self._line(at.line)
        self._faults[
            Fault(
                self.file, at.line + 1, at.column + 1, message, severity, source, advice
            )
        ] = None

    def _find(self, node: Node, part: str) -> Position:
        start = node.start_mark
        at = (
            self.text.find(part, start.index, node.end_mark.index)
            if part
            else start.index
        )
        if at <= start.index:
            return Position(start.line, start.column)
        lines = re.split(_BREAK, self.text[start.index : at])
        return Position(
            start.line + len(lines) - 1,
            len(lines[-1]) + (start.column if len(lines) == 1 else 0),
        )

    def _refuse(self, place: Position, message: str, advice: str = "") -> NoReturn:
        self.error(place, message, advice)
        raise ConfigError(self.faults)

    def _line(self, number: int) -> str:
        lines = self._all_lines()
        return lines[number] if number < len(lines) else ""

    def _all_lines(self) -> list[str]:
        if self._lines is None:
            self._lines = [printable(line) for line in re.split(_BREAK, self.text)]
        return self._lines


class _Resolver:
    """What both of PyYAML's parsers ask while they compose nodes."""

    depth = 0

    def resolve(self, kind: type[Node], value: str, implicit: tuple[bool, bool]) -> str:
        if kind is ScalarNode:
            return kind_of(value) if implicit[0] else STR
        return SEQ if kind is SequenceNode else MAP

    def descend_resolver(self, parent: Node | None, _index: Any) -> None:
        self.depth += 1
        if self.depth > DEPTH and parent is not None:
            raise MarkedYAMLError(
                problem=f"more than {DEPTH} levels of nesting",
                problem_mark=parent.start_mark,
            )

    def ascend_resolver(self) -> None:
        self.depth -= 1


class _PureLoader(_Resolver, Reader, Scanner, Parser, Composer):
    """Where PyYAML was built without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


def _loader() -> Callable[[str], Any]:
    try:
        # There only with libyaml
        from yaml._yaml import CParser  # noqa: PLC0415
    except ImportError:
        return _PureLoader
    return type("_Loader", (_Resolver, CParser), {})


_STRAY = "could not find expected ':'"
_NO_TABS = "YAML takes blanks only for indentation."
_ADVICE: Mapping[str, str] = {
    "key: value": "Is the indentation right? A list's lines begin with '- '.",
    "second document": "Remove the line '---' and what does not belong here.",
    "mapping values": "Is the indentation right? A value that holds ': ' must be in quotes.",
    "expected key": "Is the indentation right? Keys that belong together begin in the same column.",
    "expected '-'": "Is the indentation right? The '-' of one list begin in the same column.",
    "expected <block end>": "Is the indentation right? What belongs together begins in the same column.",
    "alias": "'*' at the beginning of a value names an anchor; put the value in quotes.",
    "unknown escape": r"In double quotes '\' begins an escape; single quotes keep it.",
    "not closed": "Its end is missing, or stands in another line than you think.",
    "tab character": _NO_TABS,
    "expected ',' or": "A list or mapping in brackets is not closed before this, or a ',' is missing.",
    "nesting": "Nothing in a riseml.yml needs so many.",
}


def _explain(
    error: MarkedYAMLError, line: str, column: int, *, unclosed: bool
) -> tuple[str, str]:
    """Say what a parser complained of in words that do not need the parser's own."""
    problem = str(error.problem)
    first = line[column : column + 1]
    if "another document" in problem:
        message = "a second document begins here"
    elif _STRAY in problem:
        message = "this is no 'key: value'"
    elif unclosed:
        message = "what begins here is not closed"
    elif "cannot start any token" in problem:
        message = (
            "a tab indents this line"
            if first == "\t"
            else f"a value cannot begin with '{excerpt(first)}'"
        )
    else:
        message = problem.partition(" (")[0]
        if error.context_mark:
            message += (
                f", {error.context} that begins in line {error.context_mark.line + 1}"
            )
    if re.search(_BRACES_FIRST, line):
        return message, "A value that begins with {{ must be in quotes."
    if "cannot start any token" in problem:
        return message, _NO_TABS if first == "\t" else "Put the value in quotes."
    return message, next(
        (advice for words, advice in _ADVICE.items() if words in message), ""
    )
