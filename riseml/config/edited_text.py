"""Text of a riseml.yml with the changes of a command line, as a run records it.

    lr: [0.1, 0.2]  # try more        lr=0.5  ──▶        lr: 0.5  # try more

Only the changed values are rewritten, so comments and layout remain, and a comparison of two
records shows the changes alone. Where this is not possible (an alias or a merged mapping
contains the value), the whole file is written anew.
"""

import re
from contextlib import suppress
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.schema import yaml_parser

# The mark at the end of a block is at the next token: behind empty lines and comments.
_TRAILING = re.compile(r"\s*(?:\n\s*#.*)*\s*\Z")
# The end of a document that is a single word.
_DOCUMENT_END = "...\n"
# No line is folded.
_WIDTH = 1 << 30

_Edit = tuple[int, int, str]
"""Start and end of a piece of the text, and what replaces it."""


class _Dumper(yaml_parser.Resolver, yaml.SafeDumper):
    """PyYAML's emitter with our notion of what needs quotes."""


def edited(text: str, original: Node, changed: Node) -> str:
    """Return the text whose nodes are `changed`, given one whose nodes are `original`."""
    edits: list[_Edit] = []
    _compare(original, changed, text, edits)
    result = text
    # From the end, so that earlier positions stay valid.
    for start, end, replacement in sorted(edits, reverse=True):
        result = result[:start] + replacement + result[end:]
    parsed = None
    with suppress(yaml.error.MarkedYAMLError):
        parsed = yaml_parser.parse(result)
    is_faithful = parsed is not None and _data(parsed) == _data(changed)
    return result if is_faithful else _written(changed)


def _compare(original: Node, changed: Node, text: str, edits: list[_Edit]) -> None:
    """Collect the edits that turn a mapping of the text into another one."""
    # New entries follow the old ones, and are written above the first one, in its column.
    count = len(original.value)
    first = original.value[0][0].start_mark
    added = ""
    for key, value in changed.value[count:]:
        added += f"{_entry(key, value, first.column)}\n{' ' * first.column}"
    edits.append((first.index, first.index, added))
    for (old_key, previous), (key, value) in zip(
        original.value, changed.value, strict=False
    ):
        if _is_changed_block(previous, value):
            _compare(previous, value, text, edits)
        elif previous is not value:
            edits.append(
                _replacement(
                    old_key,
                    previous,
                    _entry(key, value, old_key.start_mark.column),
                    text,
                )
            )


def _is_changed_block(original: Node, changed: Node) -> bool:
    """Return whether a mapping in lines has entries that changed: `changed` is a copy at its position."""
    is_block = isinstance(original, MappingNode) and not original.flow_style
    is_copy = original is not changed and original.start_mark is changed.start_mark
    return is_block and is_copy and bool(original.value)


def _replacement(key: Node, previous: Node, entry: str, text: str) -> _Edit:
    """Return the edit that writes another entry in place of one."""
    # An empty value ends where its key does, before the colon.
    colon = text.find(":", key.end_mark.index) + 1
    end = max(key.end_mark.index, colon, previous.end_mark.index)
    trailing = _TRAILING.search(text, colon, end)
    if trailing is not None:
        end = max(key.end_mark.index, colon, trailing.start())
    return (key.start_mark.index, end, entry)


def _entry(key: Node, value: Node, column: int) -> str:
    """Return an entry that begins in a column; a list of experiments has a line for each."""
    text = _inline(value)
    if "\n" in text:
        text = f"\n{text}".replace("\n", f"\n{' ' * (column + 2)}")
    else:
        text = f" {text}"
    return f"{_inline(key)}:{text}"


def _inline(node: Node) -> str:
    """Return the text of a value of the command line, which is on one line."""
    return _written(node).removesuffix(_DOCUMENT_END).rstrip("\n")


def _written(node: Node) -> str:
    text: str = yaml.serialize(node, Dumper=_Dumper, width=_WIDTH, allow_unicode=True)
    return text


def _data(node: Node) -> Any:
    """Return what a node stands for, with the tags and texts of its scalars."""
    if isinstance(node, ScalarNode):
        return node.tag, node.value
    if isinstance(node, SequenceNode):
        return list(map(_data, node.value))
    return {_data(key): _data(value) for key, value in node.value}
