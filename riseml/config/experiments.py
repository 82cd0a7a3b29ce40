"""`experiments`: a list of experiments that is no grid, written out or as a table.

    experiments:                                  parameters: {file: cells.csv}
      - {lr: 0.1, hidden: 16}                     lr,hidden
      - {lr: 0.01, hidden: 64}                    0.1,16
                                                  0.01,64

Both become a column of values for each parameter, so that all checks of parameters hold for
them. The nodes of the values stay those of the list or the table, and so do the positions
in messages. The recorded text of a riseml.yml contains the rows of its table.
"""

from collections.abc import Iterator
from copy import copy
from operator import itemgetter
from typing import TypeGuard

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.excerpts import excerpt
from riseml.schema.messages import describe, did_you_mean
from riseml.schema.value import Schema, Value
from riseml.schema.yaml_document import Document, Entries
from riseml.schema.yaml_kinds import MAP, NULL, SEQ, STR, is_scalar, items_of, text_of

KEY = "experiments"

_PARAMETERS = "parameters"
_EXAMPLE = "Write for example [{lr: 0.1, hidden: 16}, {lr: 0.01, hidden: 64}]."
_ABSENT = ScalarNode(NULL, "")


class Experiments(Value[int]):
    """A list of mappings with the same keys; read as the number of experiments.

    `with_columns` has checked the mappings, and made parameters of them.
    """

    expected = "a list of mappings of names to values"

    def __init__(self, item: Schema) -> None:
        self.item = item

    def read(self, node: Node, name: str, doc: Document) -> int | None:
        """Return the number of experiments."""
        if not isinstance(node, SequenceNode) or not node.value:
            self.refuse(node, name, doc, _EXAMPLE)
            return None
        return len(node.value)

    def schema(self) -> Schema:
        """Return a list of objects."""
        return {"type": "array", "items": self.item, "minItems": 1}


def with_table(root: Node, folder: str | None, doc: Document) -> Node:
    """Return the nodes of a file in which `experiments` has the rows of the table that it names.

    `folder` is that of the file, None where tables cannot be read.

    Raises:
        ConfigError: the table cannot be read.
    """
    train = _value(root, "train")
    section = _value(train, _PARAMETERS)
    name = _value(section, "file")
    # A parameter may be called `file`, too.
    is_alone = len(section.value) == 1
    if not is_alone or not is_scalar(name, STR) or not name.value.endswith(".csv"):
        return root
    # Few files name a table.
    from riseml.config import tables  # noqa: PLC0415

    rows = tables.read(name, folder, doc)
    key = ScalarNode(STR, KEY, name.start_mark, name.end_mark)
    pairs = _pairs(train)
    position = [value for _, value in pairs].index(section)
    pairs[position] = (key, rows)
    return _with_value(root, train, _copy(train, pairs))


def with_columns(root: Node, doc: Document) -> Node:
    """Return the nodes of a file in which listed experiments are columns of `parameters`, too."""
    train = _value(root, "train")
    listed = _value(train, KEY)
    if not isinstance(listed, SequenceNode):
        return root
    for key, _ in _pairs(train):
        if text_of(key) in {_PARAMETERS, "search"}:
            message = f"{key.value} and experiments cannot be used together"
            doc.error(key, message, "Remove one of them.")
            return root
    columns = _columns(list(_rows(listed, doc)), doc)
    key = ScalarNode(STR, _PARAMETERS, listed.start_mark, listed.end_mark)
    section = MappingNode(MAP, columns, listed.start_mark, listed.end_mark)
    pairs = [*_pairs(train), (key, section)]
    return _with_value(root, train, _copy(train, pairs))


def names(root: Node) -> list[str]:
    """Return the names of the parameters of listed experiments, none if there is no list."""
    listed = _value(_value(root, "train"), KEY)
    first = next(iter(items_of(listed)), _ABSENT)
    return [text_of(key) for key, _ in _pairs(first)]


def with_value(root: Node, name: str, value: Node) -> Node:
    """Return the nodes of a file in which a parameter has the same value in all experiments."""
    train = _value(root, "train")
    listed = _value(train, KEY)
    rows = []
    for row in listed.value:
        # The same node would be written once, and then as an alias.
        rows.append(_with_value(row, _value(row, name), copy(value)))
    changed = SequenceNode(SEQ, rows, listed.start_mark, listed.end_mark)
    return _with_value(root, train, _with_value(train, listed, changed))


def _rows(listed: SequenceNode, doc: Document) -> Iterator[Entries]:
    """Yield the parameters of each experiment; note experiments that differ in their keys."""
    first: Entries = {}
    for number, row in enumerate(listed.value, start=1):
        if not doc.is_mapping(row) or not row.value:
            message = f"experiment {number} must be a mapping, not {describe(row)}"
            doc.error(row, message, _EXAMPLE)
            continue
        entries = doc.entries(row, f"experiment {number}")
        first = first or entries
        for name in first.keys() - entries.keys():
            message = f"experiment {number} has no '{excerpt(name)}'"
            doc.error(row, message, "All experiments have the same parameters.")
        for name in entries.keys() - first.keys():
            message = f"only experiment {number} has '{excerpt(name)}'"
            otherwise = "All experiments have the same parameters."
            advice = did_you_mean(name, list(first), otherwise)
            doc.error(entries[name][0], message, advice)
        yield entries


def _columns(rows: list[Entries], doc: Document) -> list[tuple[Node, Node]]:
    """Return the key of each parameter with the list of its values."""
    columns: list[tuple[Node, Node]] = []
    # What is missing has been noted.
    complete = rows[:1] if doc.errors else rows
    first = next(iter(rows), Entries())
    for name, (key, _) in first.items():
        _, values = zip(*map(itemgetter(name), complete), strict=True)
        columns.append(
            (key, SequenceNode(SEQ, list(values), key.start_mark, key.end_mark))
        )
    return columns


def _is_mapping(node: Node) -> TypeGuard[MappingNode]:
    return isinstance(node, MappingNode)


def _pairs(node: Node) -> list[tuple[Node, Node]]:
    return list(node.value) if _is_mapping(node) else []


def _value(node: Node, key: str) -> Node:
    """Return the value of a key of a mapping, a node of null where there is none."""
    for key_node, value in _pairs(node):
        if text_of(key_node) == key:
            return value
    return _ABSENT


def _copy(node: Node, pairs: list[tuple[Node, Node]]) -> Node:
    style = node.flow_style if _is_mapping(node) else None
    return MappingNode(
        node.tag, pairs, node.start_mark, node.end_mark, flow_style=style
    )


def _with_value(node: Node, old: Node, new: Node) -> Node:
    """Return a copy of a mapping in which one value is replaced."""
    pairs = [(key, new if value is old else value) for key, value in _pairs(node)]
    return _copy(node, pairs)
