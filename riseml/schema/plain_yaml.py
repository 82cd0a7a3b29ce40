"""YAML as plain data: mappings, lists, text, numbers, truth values and null; nothing else.

    text ──▶ nodes with positions ──plain──▶ data, and the position of every key of the file

It reads the files of settings. They contain keys to clusters, so no error quotes a line.
"""

from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.dataclass import dataclass, field
from riseml.errors import ConfigError, InvalidInputError
from riseml.excerpts import excerpt
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import (
    BOOL,
    FLOAT,
    INT,
    MAP,
    NULL,
    SEQ,
    STR,
    items_of,
    number_of,
)

_MERGE = object()
"""Stands for the key `<<`, which merges other mappings into its own."""

_KINDS = {
    **dict.fromkeys((STR, INT, FLOAT, BOOL, NULL), ScalarNode),
    MAP: MappingNode,
    SEQ: SequenceNode,
}
# The words of tags that have few; another word after a tag is null.
_WORDS: dict[str, dict[str, bool]] = {BOOL: {"true": True, "false": False}, NULL: {}}


@dataclass(frozen=True)
class YamlFile:
    """The content of a file; `positions` has `FILE:LINE:COLUMN` for keys at the top."""

    content: dict[str, Any] = field(default_factory=dict)
    positions: dict[str, str] = field(default_factory=dict)


def parse(text: str, name: str, advice: str) -> YamlFile:
    """Return the mapping that a text contains; an empty text is an empty mapping.

    `name` is the file that errors name, and `advice` says what it contains.

    Raises:
        InvalidInputError: the text is not YAML, or not a mapping of plain data.
    """
    reader = _Reader(name, advice)
    root = compose(text, name, advice)
    if root is None or root.tag == NULL:
        return YamlFile()
    if not isinstance(root, MappingNode):
        raise reader.fault(root, "this must be a mapping")
    content = reader.plain(root)
    positions = {}
    for key_node, _ in root.value:
        positions[str(reader.plain(key_node))] = reader.position(key_node)
    return YamlFile(content, positions)


def compose(text: str, name: str, advice: str) -> Node | None:
    """Return the node of a text, None if it is empty.

    Raises:
        InvalidInputError: the text is not YAML.
    """
    try:
        return Document(name, text).root()
    except ConfigError as error:
        fault = error.faults[0]
        position = f"{name}:{fault.line}:{fault.column}"
        raise InvalidInputError(
            f"{position}: {fault.message}", fault.advice or advice
        ) from None


class _Reader:
    """Turns the nodes of one file into data."""

    def __init__(self, name: str, advice: str) -> None:
        self._name, self._advice = name, advice
        # An anchor may be used very often, so its data is made once. The node is kept
        # beside it, so that its id stays unique.
        self._made: dict[int, tuple[Node, Any]] = {}
        self._open: set[int] = set()

    def position(self, node: Node) -> str:
        """Return `FILE:LINE:COLUMN` of a node."""
        mark = node.start_mark
        return f"{self._name}:{mark.line + 1}:{mark.column + 1}"

    def fault(self, node: Node, message: str) -> InvalidInputError:
        """Return the error about a node."""
        return InvalidInputError(f"{self.position(node)}: {message}", self._advice)

    def plain(self, node: Node) -> Any:
        """Return the data of a node.

        Raises:
            InvalidInputError: it has no plain data.
        """
        made = self._made.get(id(node))
        if made is not None:
            return made[1]
        if id(node) in self._open:
            raise self.fault(node, "this contains itself")
        self._open.add(id(node))
        value = self._make(node)
        self._open.remove(id(node))
        self._made[id(node)] = node, value
        return value

    def _make(self, node: Node) -> Any:
        kind = _KINDS.get(node.tag)
        # A tag may contradict what it stands before.
        if kind is None or not isinstance(node, kind):
            tag = excerpt(node.tag)
            raise self.fault(node, f"the tag {tag} is not allowed")
        if isinstance(node, MappingNode):
            return self._mapping(node)
        if isinstance(node, SequenceNode):
            return list(map(self.plain, node.value))
        return self._scalar(node)

    def _mapping(self, node: MappingNode) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in values:
                text = excerpt(key_node.value)
                raise self.fault(key_node, f"duplicate key '{text}'")
            if key is _MERGE:
                merged = self._merged(value_node)
            else:
                values[key] = self.plain(value_node)
        return {**merged, **values}

    def _key(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode):
            raise self.fault(node, "a list or mapping cannot be a key")
        is_merge = node.value == "<<" and not node.style
        return _MERGE if is_merge else self.plain(node)

    def _merged(self, node: Node) -> dict[Any, Any]:
        """Return the entries of the mappings that `<<` names; earlier ones win."""
        merged: dict[Any, Any] = {}
        for item in items_of(node):
            if not isinstance(item, MappingNode):
                raise self.fault(item, "'<<' merges only mappings")
            merged = {**self.plain(item), **merged}
        return merged

    def _scalar(self, node: Node) -> Any:
        text = node.value
        if node.tag == STR:
            return text
        if node.tag in _WORDS:
            return _WORDS[node.tag].get(text.lower())
        number = number_of(text)
        if number is None:
            raise self.fault(node, f"'{excerpt(text)}' is not a number")
        return number
