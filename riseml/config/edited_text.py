"""Text of a riseml.yml with the changes of a command line, as a run records it.

    lr: [0.1, 0.2]  # try more        lr=0.5  ──▶        lr: 0.5  # try more

Only the changed values are rewritten, so comments and layout remain, and a comparison of two
records shows the changes alone. Where this is not possible (an alias or a merged mapping
contains the value), the whole file is written anew.
"""

import json
import re
from collections.abc import Iterable

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.schema import yaml_parser
from riseml.schema.yaml_kinds import NULL, STR, kind_of

_PLAIN_TEXT = re.compile(r"[\w./][\w./+@%-]*", re.ASCII)
# Mappings down to this level are written over several lines.
_BLOCK_LEVELS = 3

_Edit = tuple[int, int, str]
"""Start and end of a piece of the text, and what replaces it."""


def edited(text: str, before: Node, after: Node) -> str:
    """Return the text whose nodes are `after`, given one whose nodes are `before`."""
    edits: list[_Edit] = []
    _compare(before, after, text, edits)
    result = text
    # From the end, so that earlier positions stay valid.
    for start, end, replacement in sorted(edits, reverse=True):
        result = result[:start] + replacement + result[end:]
    try:
        if _equal(yaml_parser.parse(result), after):
            return result
    except MarkedYAMLError:
        pass
    return f"{_block(after, 0)}\n"


def _compare(before: Node, after: Node, text: str, edits: list[_Edit]) -> None:
    """Collect the edits that turn a mapping of the text into another one."""
    old = {id(key): value for key, value in before.value}
    added = []
    for key, value in after.value:
        previous = old.get(id(key))
        if previous is None:
            added.append((key, value))
        elif previous is value:
            continue
        # A mapping in which something changed is a copy at the same position.
        elif value.start_mark is previous.start_mark:
            _compare(previous, value, text, edits)
        else:
            edits.append(_replacement(key, previous, value, text))
    if added:
        edits.append(_addition(before, added))


def _replacement(key: Node, previous: Node, value: Node, text: str) -> _Edit:
    """Return the edit that writes a value directly after its key."""
    start = key.end_mark.index
    # An empty value ends where its key does, before the colon.
    colon = text.find(":", start) + 1
    # The mark of a text in several lines is in the line below it.
    end = len(text[: max(start, colon, _end(previous))].rstrip())
    return (start, end, f": {_flow(value)}")


def _addition(node: Node, pairs: Iterable[tuple[Node, Node]]) -> _Edit:
    entries = [f"{_flow(key)}: {_flow(value)}" for key, value in pairs]
    if not node.value:
        text = "{" + ", ".join(entries) + "}"
        return (node.start_mark.index, node.end_mark.index, text)
    first = node.value[0][0].start_mark
    is_flow = isinstance(node, MappingNode) and node.flow_style
    separator = ", " if is_flow else "\n" + " " * first.column
    return (first.index, first.index, "".join(entry + separator for entry in entries))


def _end(node: Node) -> int:
    """Return where the text of a node ends: a mark in a block is at the next token."""
    end = int(node.end_mark.index)
    if isinstance(node, SequenceNode) and node.value and not node.flow_style:
        return _end(node.value[-1])
    if isinstance(node, MappingNode) and node.value and not node.flow_style:
        return _end(node.value[-1][1])
    return end


def _equal(first: Node | None, second: Node | None) -> bool:
    """Return whether two nodes stand for the same data."""
    if first is second:
        return True
    if first is None or second is None or first.tag != second.tag:
        return False
    if isinstance(first, ScalarNode) or isinstance(second, ScalarNode):
        return bool(first.value == second.value)
    if len(first.value) != len(second.value):
        return False
    if isinstance(first, SequenceNode):
        return all(map(_equal, first.value, second.value))
    return _by_key(first).keys() == _by_key(second).keys() and all(
        _equal(value, _by_key(second)[key]) for key, value in _by_key(first).items()
    )


def _by_key(node: Node) -> dict[str, Node]:
    return {str(key.value): value for key, value in node.value}


def _block(node: Node, level: int) -> str:
    """Return a node in lines, its deeper levels in brackets and braces."""
    if not isinstance(node, MappingNode) or level >= _BLOCK_LEVELS or not node.value:
        return _flow(node)
    lines = []
    for key, value in node.value:
        text = _block(value, level + 1)
        is_inner = isinstance(value, MappingNode) and "\n" in text
        separator = "\n" + "  " * (level + 1) if is_inner else " "
        lines.append(f"{_flow(key)}:{separator}{text}")
    return ("\n" + "  " * level).join(lines)


def _flow(node: Node) -> str:
    """Return a node on one line."""
    if isinstance(node, SequenceNode):
        return f"[{', '.join(map(_flow, node.value))}]"
    if isinstance(node, MappingNode):
        entries = [f"{_flow(key)}: {_flow(value)}" for key, value in node.value]
        return "{" + ", ".join(entries) + "}"
    text = str(node.value)
    if node.tag == NULL:
        return "null"
    if node.tag != STR or _is_plain(node):
        return text
    return json.dumps(text, ensure_ascii=False)


def _is_plain(node: Node) -> bool:
    """Return whether a text needs no quotes; `<<` merges only without them."""
    text = str(node.value)
    if text == "<<" and isinstance(node, ScalarNode) and not node.style:
        return True
    return _PLAIN_TEXT.fullmatch(text) is not None and kind_of(text) == STR
