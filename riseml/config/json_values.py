"""Values of parameters that are lists, mappings or null: a program receives them as JSON text.

layers: [[64, 64], [128]]      two values, `[64,64]` and `[128]`: a list of values is a grid
opt: [{name: sgd, lr: 0.1}]    one value, `{"name":"sgd","lr":0.1}`
resume: null                   one value, `null`
"""

import json
import math
import re
from collections.abc import Iterator

from yaml.nodes import MappingNode, Node, SequenceNode

from riseml.excerpts import excerpt
from riseml.schema.messages import describe
from riseml.schema.value import Schema
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import (
    BOOL,
    FLOAT,
    INT,
    NULL,
    STR,
    is_scalar,
    number_of,
)
from riseml.schema.yaml_parser import MAX_DEPTH

SCHEMA: Schema = {"type": ["array", "object", "null"]}
"""JSON Schema of these values."""

# An alias that contains itself, or aliases of aliases, would go on for very long.
_MAX_NODES = 10_000
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")


def read(node: Node, name: str, doc: Document) -> str:
    """Return the JSON text of a list, a mapping or null; note what has none."""
    return "".join(_Writer(name, doc).pieces(node))


class _Writer:
    """Writes the JSON text of one value, in pieces."""

    def __init__(self, name: str, doc: Document) -> None:
        self._name, self._doc = name, doc
        self._nodes = self._depth = 0

    def pieces(self, node: Node) -> Iterator[str]:
        """Yield the text of a node."""
        self._nodes += 1
        if self._nodes > _MAX_NODES or self._depth > MAX_DEPTH:
            self._doc.error(node, f"a value of {self._name} is too large")
            return
        self._depth += 1
        if isinstance(node, SequenceNode):
            yield from self._list(node)
        elif isinstance(node, MappingNode):
            yield from self._mapping(node)
        else:
            yield self._scalar(node)
        self._depth -= 1

    def _list(self, node: SequenceNode) -> Iterator[str]:
        yield "["
        comma = ""
        for item in node.value:
            yield comma
            yield from self.pieces(item)
            comma = ","
        yield "]"

    def _mapping(self, node: MappingNode) -> Iterator[str]:
        entries = self._doc.entries(node, self._name)
        yield "{"
        comma = ""
        for key_node, value in entries.values():
            yield f"{comma}{self._scalar(key_node)}:"
            yield from self.pieces(value)
            comma = ","
        yield "}"

    def _scalar(self, node: Node) -> str:
        text = str(node.value)
        if is_scalar(node, STR):
            if "{{" in text:
                message = f"a value of {self._name} contains '{{{{'"
                advice = "Argo would interpret it; write the value without it."
                self._doc.error(node, message, advice)
            return json.dumps(text, ensure_ascii=False)
        if is_scalar(node, BOOL, NULL):
            return text.lower() if node.tag == BOOL else "null"
        return self._number(node, text)

    def _number(self, node: Node, text: str) -> str:
        """Return a number as it is written if JSON writes it so, too."""
        if _NUMBER.fullmatch(text):
            return text
        number = number_of(text) if is_scalar(node, INT, FLOAT) else None
        if number is None or not math.isfinite(number):
            message = f"{describe(node)} in {excerpt(self._name)} has no JSON form"
            self._doc.error(node, message, "Put it in quotes to pass it on as a text.")
        return json.dumps(number)
