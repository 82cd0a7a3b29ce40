"""Nodes that do not come from the text of a riseml.yml: values of a command line, rows of a table.

--set train.timeout=1h  ──▶  ScalarNode("1h"), whose mark names the argument in place of FILE:LINE:COLUMN
"""

import re
import sys
from itertools import chain

from yaml.error import Mark, MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.errors import ConfigError, Fault
from riseml.schema import yaml_parser
from riseml.schema.yaml_kinds import MAP, STR, kind_of

# Text in brackets, braces or quotes is read as YAML, all other text as it is.
_IS_YAML = re.compile("""["'[]|[{](?![{])""").match
# No text of a document is so long.
_BEYOND = sys.maxsize


class ForeignMark(Mark):
    """Position of a node outside the document; `name` is its argument or file.

    `line` and `column` count from 0. They are -1 for an argument, which is its own
    position. `source` is the text of the line.
    """

    def __init__(
        self, name: str, line: int = -1, column: int = -1, source: str = ""
    ) -> None:
        super().__init__(name, _BEYOND, line, column, None, 0)
        self.source = source


def scalar(text: str, mark: ForeignMark) -> ScalarNode:
    """Return the node of a plain scalar: a number, truth value, null or text."""
    return ScalarNode(kind_of(text), text, mark, mark)


def key(text: str, mark: ForeignMark) -> ScalarNode:
    """Return the node of a key."""
    return ScalarNode(STR, text, mark, mark)


def mapping(pairs: list[tuple[ScalarNode, Node]], mark: ForeignMark) -> MappingNode:
    """Return the node of a mapping."""
    return MappingNode(MAP, pairs, mark, mark, flow_style=True)


def parse(text: str, mark: ForeignMark) -> Node:
    """Return the node of a value: YAML in brackets, braces or quotes, or a plain scalar.

    Raises:
        ConfigError: the brackets, braces or quotes are not YAML.
    """
    if not _IS_YAML(text):
        return scalar(text, mark)
    try:
        node = yaml_parser.parse(text)
    except MarkedYAMLError as error:
        message, advice = yaml_parser.explain(error, text, 0, is_unclosed=False)
        line, column = mark.line + 1, mark.column + 1
        fault = Fault(mark.name, line, column, message, "error", mark.source, advice)
        raise ConfigError((fault,)) from None
    # Text in brackets, braces or quotes is never empty.
    assert node is not None  # noqa: S101
    _move(node, mark)
    return node


def _move(node: Node, mark: ForeignMark) -> None:
    """Give a node and all nodes below it another position."""
    if node.start_mark is mark:
        # An alias was moved already, and may be inside itself.
        return
    node.start_mark = node.end_mark = mark
    if isinstance(node, SequenceNode | MappingNode):
        # The items of a mapping are pairs.
        pairs = isinstance(node, MappingNode)
        for inner in chain.from_iterable(node.value) if pairs else node.value:
            _move(inner, mark)
