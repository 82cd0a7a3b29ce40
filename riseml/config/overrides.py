"""Changes of a riseml.yml that a command line makes, before the file is checked.

    lr=0.1                       one value of a declared parameter
    hidden=16,64                 a list of values; commas in brackets, braces and quotes separate none
    epochs=5..20..5              a range: min..max..step
    --set train.timeout=1h       any other key, by its full name

The nodes of the new values replace those of the file, so the same checks read both. Faults
name the argument in place of FILE:LINE:COLUMN.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.config import experiments
from riseml.dataclass import dataclass
from riseml.errors import ConfigError, Fault
from riseml.excerpts import excerpt
from riseml.schema import foreign_nodes
from riseml.schema.fields import underscored
from riseml.schema.foreign_nodes import ForeignMark
from riseml.schema.messages import describe, did_you_mean
from riseml.schema.texts import joined
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import NULL, SEQ

_PARAMETERS = ("train", "parameters")
# The same in files of 2016 and 2017.
_OLD_PARAMETERS = ("train", "params")
_NOTHING = (ScalarNode(NULL, ""), ScalarNode(NULL, ""))
# Mappings whose keys users choose, with dashes and underscores.
_FREE_KEYS = ("train.parameters", "train.params", "train.env")
_RANGE_KEYS = ("min", "max", "step")
# Two numbers with `..` between them, and perhaps a step.
_NUMBER = r"[-+]?\.?\d[\w.+-]*?"
_RANGE = re.compile(rf"{_NUMBER}\.\.{_NUMBER}(?:\.\.[^.].*)?", re.ASCII)
_DEPTHS = {"[": 1, "{": 1, "]": -1, "}": -1}
_PIECES = re.compile(
    r"""(?<![^,:\s[{])(?:"(?:\\.|[^"\\])*"|'[^']*')|[^,[\]{}"']+|.""", re.DOTALL
)


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
    faults: list[Fault] = []
    overrides = [
        *_parsed(_parameter, parameters, faults),
        *_parsed(_setting, settings, faults),
    ]
    paths = Counter(override.path for override in overrides)
    repeated = [override for override in overrides if paths[override.path] > 1]
    for override in repeated:
        message = f"{excerpt(override.path[-1])} is set twice"
        faults.append(_fault(override.mark, message, "Remove one."))
    if faults:
        raise ConfigError(tuple(faults))
    return tuple(overrides)


def _parsed(
    parser: Callable[[str], Override], texts: Sequence[str], faults: list[Fault]
) -> Iterator[Override]:
    """Yield what texts stand for; collect the faults of those that stand for nothing."""
    for text in texts:
        try:
            yield parser(text)
        except ConfigError as error:
            faults += error.faults


def apply(root: Node, overrides: Iterable[Override], doc: Document) -> Node:
    """Return the nodes of a file with the changes; what cannot be changed is noted in `doc`.

    Nodes of the file are copied where they change, since the file may use them twice.
    """
    for override in overrides:
        if override.is_parameter and override.path[-1] in experiments.names(root):
            root = _in_experiments(root, override, doc)
            continue
        path = _path(root, override, doc)
        if path:
            root = _replaced(root, path, override, "", doc)
    return root


def _in_experiments(root: Node, override: Override, doc: Document) -> Node:
    """Return the nodes of a file in which all listed experiments have one value."""
    name = override.path[-1]
    if not isinstance(override.node, ScalarNode):
        message = f"the experiments are listed, so {excerpt(name)} needs a single value"
        doc.error(override.node, message, f"Write for example {excerpt(name)}=1.")
    return experiments.with_value(root, name, override.node)


def _parameter(text: str) -> Override:
    mark = ForeignMark(text)
    match = re.fullmatch("([^=]+)=(.*)", text, re.DOTALL)
    if match is None:
        message = "this is not NAME=VALUE"
        advice = "Write for example lr=0.1, or hidden=16,64 for several values."
        raise ConfigError((_fault(mark, message, advice),))
    name, value = match.groups()
    path = (*_PARAMETERS, name)
    return Override(path, _values(value, mark), mark, is_parameter=True)


def _setting(text: str) -> Override:
    mark = ForeignMark(f"--set {text}")
    match = re.fullmatch(r"([^.=]+(?:\.[^.=]+)*)=(.*)", text, re.DOTALL)
    if match is None:
        message = "this is not KEY=VALUE"
        advice = "Write for example --set train.resources.gpus=1."
        raise ConfigError((_fault(mark, message, advice),))
    keys, value = match.groups()
    # The name of a parameter may contain dots.
    named = re.fullmatch(r"train\.parameters\.(.+)", keys)
    path = (*_PARAMETERS, named[1]) if named else tuple(keys.split("."))
    return Override(path, foreign_nodes.parse(value, mark), mark)


def _values(text: str, mark: ForeignMark) -> Node:
    """Return the node of one value, a list of values or a range."""
    items = _split(text)
    if "" in items:
        advice = "Write NAME='\"\"' for an empty text."
        raise ConfigError((_fault(mark, "a value is missing", advice),))
    if len(items) > 1:
        nodes = [foreign_nodes.parse(item, mark) for item in items]
        return SequenceNode(SEQ, nodes, mark, mark, flow_style=True)
    if _RANGE.fullmatch(text) is None:
        return foreign_nodes.parse(text, mark)
    bounds = text.split("..")
    if len(bounds) != len(_RANGE_KEYS):
        message = "this is not a range: its step is missing"
        advice = f"Write {text}..STEP; put a text that contains '..' in quotes."
        raise ConfigError((_fault(mark, message, advice),))
    pairs: list[tuple[ScalarNode, Node]] = []
    for name, bound in zip(_RANGE_KEYS, bounds, strict=True):
        pairs.append((foreign_nodes.key(name, mark), foreign_nodes.scalar(bound, mark)))
    inner = foreign_nodes.mapping(pairs, mark)
    return foreign_nodes.mapping([(foreign_nodes.key("range", mark), inner)], mark)


def _split(text: str) -> list[str]:
    """Split a text at the commas outside of brackets, braces and quotes."""
    items = [""]
    depth = 0
    # Texts in quotes are single pieces. A quote within a word is an apostrophe.
    for piece in _PIECES.findall(text):
        depth += _DEPTHS.get(piece, 0)
        if piece == "," and depth <= 0:
            items.append("")
        else:
            items[-1] += piece
    return items


def _path(root: Node, override: Override, doc: Document) -> tuple[str, ...]:
    """Return the keys that lead to the value; none after noting that the parameter is not declared."""
    if not override.is_parameter:
        return override.path
    name = override.path[-1]
    names = experiments.names(root)
    for section in (_PARAMETERS, _OLD_PARAMETERS):
        declared = _names(root, section, doc)
        if name in declared:
            return (*section, name)
        names += declared
    message = f"riseml.yml declares no parameter '{excerpt(name)}'"
    advice = f"To add it, write --set train.parameters.{excerpt(name)}=VALUE."
    if names:
        advice = f"Its parameters are {', '.join(names)}. {advice}"
    doc.error(override.node, message, did_you_mean(name, names, advice))
    return ()


def _names(root: Node, path: tuple[str, ...], doc: Document) -> list[str]:
    """Return the keys of the mapping at a path, none where there is no mapping."""
    node = root
    for key in path:
        entries = doc.entries(node, "", underscored) if doc.is_mapping(node) else {}
        _, node = entries.get(key, _NOTHING)
    return list(doc.entries(node, "")) if doc.is_mapping(node) else []


def _replaced(
    node: Node,
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
    if node.tag == NULL:
        node = foreign_nodes.mapping([], mark)
    if not doc.is_mapping(node):
        message = f"{name} is {describe(node)}, not a mapping"
        advice = f"Write --set {name}='{{{key}: …}}' to replace it."
        doc.error(override.node, message, advice)
        return node
    spelling = str if name in _FREE_KEYS else underscored
    # The mapping may have the key from others that are merged into it.
    entries = doc.entries(node, name, spelling)
    new_key = foreign_nodes.key(key, mark)
    key_node, old = entries.get(spelling(key), (new_key, _NOTHING[0]))
    value = _replaced(old, path[1:], override, joined(name, key), doc)
    pairs = [(key_node, value) if pair[0] is key_node else pair for pair in node.value]
    if (key_node, value) not in pairs:
        pairs.append((new_key, value))
    return MappingNode(
        node.tag, pairs, node.start_mark, node.end_mark, flow_style=node.flow_style
    )


def _fault(mark: ForeignMark, message: str, advice: str) -> Fault:
    return Fault(mark.name, 0, 0, message, advice=advice)
