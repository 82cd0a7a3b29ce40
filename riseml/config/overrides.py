"""Changes of a riseml.yml that a command line makes, before the file is checked.

    lr=0.1                       one value of a declared parameter
    hidden=16,64                 a list of values; commas in brackets, braces and quotes separate none
    epochs=5..20..5              a range: min..max..step
    --set train.timeout=1h       any other key, by its full name

The nodes of the new values replace those of the file, so the same checks read both. Faults
name the argument in place of FILE:LINE:COLUMN.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.errors import ConfigError, Fault
from riseml.excerpts import excerpt
from riseml.schema import foreign_nodes
from riseml.schema.fields import underscored
from riseml.schema.foreign_nodes import ForeignMark
from riseml.schema.messages import describe, did_you_mean
from riseml.schema.texts import joined
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import NULL, SEQ, decimal_of

_TRAIN = "train"
_PARAMETERS = "parameters"
# Names of the section in files of 2016 and 2017.
_SPELLINGS = (_PARAMETERS, "params")
# Mappings whose keys users choose, with dashes and underscores.
_FREE_KEYS = ("train.parameters", "train.params", "train.env")
_RANGE_KEYS = ("min", "max", "step")
_OPENING, _CLOSING, _QUOTES = "[{", "]}", "\"'"


@dataclass(frozen=True)
class Override:
    """One new value: the keys that lead to it, and its node.

    The value of a parameter `is_parameter`: the file must declare it.
    """

    path: tuple[str, ...]
    node: Node
    mark: ForeignMark
    is_parameter: bool = False


def parse(parameters: Sequence[str], settings: Sequence[str]) -> tuple[Override, ...]:
    """Return the changes that arguments `NAME=VALUE` and options `--set KEY=VALUE` stand for.

    Raises:
        ConfigError: some are not like this, or set something twice.
    """
    overrides: dict[tuple[str, ...], Override] = {}
    faults: list[Fault] = []
    sources = [(argument, True) for argument in parameters]
    sources += [(setting, False) for setting in settings]
    for text, is_parameter in sources:
        try:
            override = _parameter(text) if is_parameter else _setting(text)
        except ConfigError as error:
            faults += error.faults
            continue
        if override.path in overrides:
            name = excerpt(".".join(override.path).removeprefix("train.parameters."))
            faults.append(_fault(override.mark, f"{name} is set twice", "Remove one."))
        overrides[override.path] = override
    if faults:
        raise ConfigError(tuple(faults))
    return tuple(overrides.values())


def apply(root: Node, overrides: Iterable[Override], doc: Document) -> Node:
    """Return the nodes of a file with the changes; what cannot be changed is noted in `doc`.

    Nodes of the file are copied where they change, since the file may use them twice.
    """
    for override in overrides:
        path = override.path
        if override.is_parameter:
            path = _declared(root, override, doc)
        if path:
            root = _replaced(root, path, override, "", doc)
    return root


def _parameter(text: str) -> Override:
    mark = ForeignMark(text)
    name, equals, value = text.partition("=")
    if not equals or not name:
        message = "this is not NAME=VALUE"
        advice = "Write for example lr=0.1, or hidden=16,64 for several values."
        raise ConfigError((_fault(mark, message, advice),))
    node = _values(value, mark)
    return Override((_TRAIN, _PARAMETERS, name), node, mark, is_parameter=True)


def _setting(text: str) -> Override:
    mark = ForeignMark(f"--set {text}")
    name, equals, value = text.partition("=")
    keys = name.split(".")
    if not equals or not all(keys):
        message = "this is not KEY=VALUE"
        advice = "Write for example --set train.resources.gpus=1."
        raise ConfigError((_fault(mark, message, advice),))
    # The name of a parameter may contain dots.
    if keys[:2] == [_TRAIN, _PARAMETERS] and keys[2:]:
        keys = [_TRAIN, _PARAMETERS, ".".join(keys[2:])]
    return Override(tuple(keys), foreign_nodes.parse(value, mark), mark)


def _values(text: str, mark: ForeignMark) -> Node:
    """Return the node of one value, a list of values or a range."""
    items = _split(text)
    if "" in items:
        message = "a value is missing" if text else "the value is missing"
        advice = "Write NAME='\"\"' for an empty text."
        raise ConfigError((_fault(mark, message, advice),))
    if len(items) > 1:
        nodes = [foreign_nodes.parse(item, mark) for item in items]
        return SequenceNode(SEQ, nodes, mark, mark, flow_style=True)
    bounds = text.split("..")
    if not _is_range(bounds):
        return foreign_nodes.parse(text, mark)
    if len(bounds) != len(_RANGE_KEYS):
        message = "this is not a range: its step is missing"
        advice = f"Write {text}..STEP; put a text that contains '..' in quotes."
        raise ConfigError((_fault(mark, message, advice),))
    pairs: list[tuple[ScalarNode, Node]] = []
    for name, bound in zip(_RANGE_KEYS, bounds, strict=True):
        pairs.append((foreign_nodes.key(name, mark), foreign_nodes.scalar(bound, mark)))
    inner = foreign_nodes.mapping(pairs, mark)
    return foreign_nodes.mapping([(foreign_nodes.key("range", mark), inner)], mark)


def _is_range(bounds: list[str]) -> bool:
    """Return whether texts between `..` are bounds, the first two of them numbers."""
    if not 1 < len(bounds) <= len(_RANGE_KEYS):
        return False
    return decimal_of(bounds[0]) is not None and decimal_of(bounds[1]) is not None


def _split(text: str) -> list[str]:
    """Split a text at the commas outside of brackets, braces and quotes."""
    items = [""]
    depth = 0
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES and (depth or not items[-1]):
            # A quote within a word is an apostrophe.
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        if character == "," and not quote and depth <= 0:
            items.append("")
        else:
            items[-1] += character
    return items


def _declared(root: Node, override: Override, doc: Document) -> tuple[str, ...]:
    """Return the path to a parameter of the file; an empty one after noting that it declares none."""
    name = override.path[-1]
    names: list[str] = []
    train = _value(root, _TRAIN, doc)
    for spelling in _SPELLINGS:
        section = _value(train, spelling, doc)
        if isinstance(section, MappingNode):
            names += doc.entries(section, f"{_TRAIN}.{spelling}")
            if name in names:
                return (_TRAIN, spelling, name)
    message = f"riseml.yml declares no parameter '{excerpt(name)}'"
    otherwise = f"To add it, write --set train.parameters.{excerpt(name)}=VALUE."
    if names:
        otherwise = f"Its parameters are {', '.join(names)}. {otherwise}"
    doc.error(override.node, message, did_you_mean(name, names, otherwise))
    return ()


def _value(node: Node | None, key: str, doc: Document) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    _, value = doc.entries(node, "", underscored).get(key, (None, None))
    return value


def _replaced(
    node: Node | None,
    path: tuple[str, ...],
    override: Override,
    name: str,
    doc: Document,
) -> Node:
    """Return a copy of `node` in which the value at `path` is that of the override."""
    if not path:
        return override.node
    key = path[0]
    mark = override.mark
    if node is None or node.tag == NULL:
        node = foreign_nodes.mapping([], mark)
    if not doc.is_mapping(node):
        message = f"{name} is {describe(node)}, not a mapping"
        advice = f"Write --set {name}='{{{key}: …}}' to replace it."
        doc.error(override.node, message, advice)
        return node
    spelling = str if name in _FREE_KEYS else underscored
    pairs = list(node.value)
    index = _index(pairs, spelling(key), spelling)
    if index is None:
        index = len(pairs)
        # The mapping may be merged from others, which have the key.
        _, old = doc.entries(node, name, spelling).get(spelling(key), (None, None))
        pairs.append((foreign_nodes.key(key, mark), override.node))
    else:
        old = pairs[index][1]
    value = _replaced(old, path[1:], override, joined(name, key), doc)
    pairs[index] = (pairs[index][0], value)
    return MappingNode(
        node.tag, pairs, node.start_mark, node.end_mark, flow_style=node.flow_style
    )


def _index(
    pairs: list[tuple[Node, Node]], key: str, spelling: Callable[[str], str]
) -> int | None:
    """Return the position of a key, whose spellings `spelling` maps to one."""
    for index, (key_node, _) in enumerate(pairs):
        if isinstance(key_node, ScalarNode) and spelling(key_node.value) == key:
            return index
    return None


def _fault(mark: ForeignMark, message: str, advice: str) -> Fault:
    return Fault(mark.name, 0, 0, message, advice=advice)
