"""Kinds of values in riseml.yml, for sections of frameworks and search strategies.

    Record(Options, {"ps": Integer(1)})     {ps: 2}  ──read──▶  Options(ps=2)      and every fault noted in the Document
                                                     ──schema─▶ {"type": "object", "properties": {"ps": {...}}, ...}

`read` returns None after it noted an error; the result is not used then. Shorthands end
here: `run: x` is read as `("x",)`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.excerpts import excerpt, listed
from riseml.schema.messages import nearest
from riseml.schema.scalars import LARGEST, Boolean, Choice, Integer, PluginName, Text
from riseml.schema.texts import joined, within
from riseml.schema.value import S, Schema, T, Value
from riseml.schema.yaml_document import Document, Entries
from riseml.schema.yaml_kinds import NULL, is_scalar

__all__ = [
    "LARGEST",
    "Boolean",
    "Check",
    "Choice",
    "Integer",
    "Mapped",
    "Nullable",
    "OneOrMany",
    "PluginName",
    "Record",
    "Schema",
    "Shorthand",
    "T",
    "Text",
    "Value",
    "underscored",
]

Check = Callable[[Mapping[str, Any], Entries, MappingNode, str, Document], None]
"""Checks the values of a Record together: values, entries, node, name of the mapping, document."""

_NO_ADVICE: Mapping[str, str] = MappingProxyType({})

# Keys that are more alike than this are misspelt rather than misplaced.
_MISSPELT = 0.8


def _accept(
    _values: Mapping[str, Any],
    _entries: Entries,
    _node: MappingNode,
    _name: str,
    _doc: Document,
) -> None:
    """Check nothing, for a Record whose keys do not depend on each other."""


class Nullable(Value[T]):
    """A value that may be absent as `null`; with `empty` also as an empty mapping."""

    def __init__(self, value: Value[T], *, empty: bool = False) -> None:
        self.value = value
        self.empty = empty
        self.expected = f"{value.expected}, or null"

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return the value or None."""
        is_empty = isinstance(node, MappingNode) and not node.value
        if node.tag == NULL or (self.empty and is_empty):
            return None
        return self.value.read(node, name, doc)

    def schema(self) -> Schema:
        """Return the value, null, and the empty mapping if it is allowed."""
        forms: list[Schema] = [{"type": "null"}]
        if self.empty:
            forms.append({"type": "object", "maxProperties": 0})
        return {"anyOf": [*forms, self.value.schema()]}

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return those of the value."""
        return self.value.mappings()


class OneOrMany(Value[tuple[T, ...]]):
    """A list of values, or one value without the list; `unique` forbids repetitions."""

    def __init__(self, value: Value[T], *, unique: bool = False) -> None:
        self.value = value
        self.unique = unique
        self.expected = f"{value.expected}, or a list of them"
        self.kinds = value.kinds

    def read(self, node: Node, name: str, doc: Document) -> tuple[T, ...] | None:
        """Return all values."""
        if is_scalar(node, *self.kinds):
            value = self.value.read(node, name, doc)
            return () if value is None else (value,)
        if not isinstance(node, SequenceNode):
            self.refuse(node, name, doc)
            return None
        values = []
        for number, item in enumerate(node.value, 1):
            value = self.value.read(item, f"entry {number} of {name}", doc)
            if value is not None:
                values.append(value)
        if self.unique:
            self._check_unique(node.value, name, doc)
        return tuple(values)

    def schema(self) -> Schema:
        """Return both forms."""
        item = self.value.schema()
        array: Schema = {"type": "array", "items": item}
        if self.unique:
            array["uniqueItems"] = True
        return {"anyOf": [item, array]}

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return those of the items."""
        return self.value.mappings()

    def _check_unique(self, nodes: list[Node], name: str, doc: Document) -> None:
        texts = set()
        for node in nodes:
            if isinstance(node, ScalarNode) and node.value in texts:
                doc.error(
                    node,
                    f"'{excerpt(node.value)}' appears twice in {name}",
                    "Remove one.",
                )
            texts.add(str(node.value))


class Shorthand(Value[T]):
    """A mapping, or a short form that `expand` turns into the same."""

    def __init__(
        self, short: Value[S], expand: Callable[[S], T], full: Value[T]
    ) -> None:
        self.short = short
        self.value = full
        self.expand = expand
        self.expected = f"{short.expected}, or a mapping"
        self.kinds = short.kinds

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return the value of either form."""
        if doc.is_mapping(node):
            return self.value.read(node, name, doc)
        if not is_scalar(node, *self.kinds):
            self.refuse(node, name, doc)
            return None
        short = self.short.read(node, name, doc)
        return None if short is None else self.expand(short)

    def schema(self) -> Schema:
        """Return both forms."""
        return {"anyOf": [self.short.schema(), self.value.schema()]}

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return those of the full form."""
        return self.value.mappings()


class Mapped(Value[dict[str, T]]):
    """A mapping whose keys the user chooses."""

    expected = "a mapping"

    def __init__(self, key: Text, value: Value[T]) -> None:
        self.key = key
        self.value = value

    def read(self, node: Node, name: str, doc: Document) -> dict[str, T] | None:
        """Return the values by their keys as written."""
        if not doc.is_mapping(node):
            self.refuse(node, name, doc)
            return None
        values = {}
        for key, (key_node, value_node) in doc.entries(node, name).items():
            self.key.read(key_node, f"the name '{excerpt(key)}' in {name}", doc)
            value = self.value.read(value_node, f"{name}.{excerpt(key)}", doc)
            if value is not None:
                values[key] = value
        return values

    def schema(self) -> Schema:
        """Return an object with any key that has the right form."""
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.value.schema(),
        }

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return this mapping."""
        return {"": self}


class Record(Value[T]):
    """A mapping with fixed keys, from which `make(**values)` makes the result.

    Keys may be written with dashes or underscores. `required` maps keys to an example of
    how to write them, `hints` maps unknown keys to advice. `check` sees all values together.
    """

    expected = "a mapping"

    def __init__(
        self,
        make: Callable[..., T],
        keys: Mapping[str, Value[Any]],
        *,
        required: Mapping[str, str] = _NO_ADVICE,
        hints: Mapping[str, str] = _NO_ADVICE,
        check: Check = _accept,
    ) -> None:
        self.make = make
        self.keys = keys
        self.required = required
        self.hints = hints
        self.check = check

    def names(self) -> tuple[str, ...]:
        """Return all keys."""
        return tuple(self.keys)

    def find(self, key: str) -> Value[Any] | None:
        """Return the kind of value of a key, or None for an unknown key."""
        return self.keys.get(key)

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return the result of `make`."""
        if not doc.is_mapping(node):
            advice = ""
            if isinstance(node, SequenceNode):
                advice = "Write its keys without '- ' before them."
            self.refuse(node, name or "the file", doc, advice)
            return None
        earlier_errors = doc.errors
        entries = dict(doc.entries(node, name, underscored))
        values = self._read_entries(entries, node, name, doc)
        self.check(values, entries, node, name, doc)
        return None if doc.errors > earlier_errors else self.make(**values)

    def unknown(self, key_node: ScalarNode, name: str, doc: Document) -> str | None:
        """Note an unknown key; return the key that was probably meant."""
        key = underscored(key_node.value)
        if doc.is_full:
            doc.error(key_node, "unknown key")
            return None
        # A slip is likelier than a wrong position only if the words are very similar.
        near = nearest(key, self.names(), _MISSPELT)
        parent = None if near else doc.parent_of(key)
        if not near and parent in (None, name):
            near = nearest(key, self.names())
            parent = None
        advice = self._advice(key, near, parent)
        message = f"unknown key '{excerpt(key_node.value)}'{within(name)}"
        doc.error(key_node, message, advice)
        # A hint names another key than the most similar one.
        return None if key in self.hints else near

    def schema(self) -> Schema:
        """Return a closed object with both spellings of each key."""
        properties = {}
        for key in self.names():
            value = self.find(key)
            described = value.described() if value else {}
            properties[key] = described
            properties[key.replace("_", "-")] = described
        required = {"required": list(self.required)} if self.required else {}
        return {
            "type": "object",
            "properties": properties,
            **required,
            "additionalProperties": False,
        }

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return this mapping."""
        return {"": self}

    def _read_entries(
        self, entries: Entries, node: MappingNode, name: str, doc: Document
    ) -> dict[str, Any]:
        """Return the values by key; note unknown and missing keys."""
        self._resolve(entries, name, doc)
        values: dict[str, Any] = {}
        for key, (key_node, value_node) in entries.items():
            value = self.find(key)
            if value is not None:
                written = key_node.value
                if underscored(written) != key:
                    written = key
                values[key] = value.read(value_node, joined(name, written), doc)
        for key, example in self.required.items():
            if key not in entries:
                doc.error(node, f"'{key}' is missing{within(name)}", example)
        return values

    def _resolve(self, entries: Entries, name: str, doc: Document) -> None:
        """Note unknown keys; let a misspelt one count as the key that was meant.

        So its value is checked as well.
        """
        for key, entry in list(entries.items()):
            if self.find(key) is None:
                meant = self.unknown(entry[0], name, doc)
                if meant is not None:
                    entries.setdefault(meant, entry)

    def _advice(self, key: str, near: str | None, parent: str | None) -> str:
        if key in self.hints:
            return self.hints[key]
        if near:
            return f"Did you mean '{near}'?"
        if parent:
            return f"'{excerpt(key)}' belongs directly in {parent}; is the indentation right?"
        return f"Known keys: {listed(self.names())}."


def underscored(key: str) -> str:
    """Return the spelling with underscores of a key that may be written with dashes."""
    return key.replace("-", "_")
