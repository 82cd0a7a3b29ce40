"""Kinds of value in riseml.yml: each reads a YAML node and says in JSON Schema what it takes, so that the two agree.

    Record({"ps": Integer(1)})     {ps: 2}  ──read──▶  Made(ps=2)          and every fault noted in the Document
                                            ──schema─▶ {"type": "object", "properties": {"ps": {...}}, ...}

`read` returns None where it noted an error; what it makes is then not used. Shorthands die here: `run: x` is `("x",)`.
"""

import re
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Generic, Self, TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.schema.messages import describe, nearest, one_of, remedy
from riseml.schema.yaml_document import (
    BOOL,
    CONTROL,
    CONTROL_BUT_LINES,
    FLOAT,
    INT,
    MAP,
    NULL,
    STR,
    Document,
    Entries,
    control_in,
    decimal_of,
    excerpt,
    within,
)

T = TypeVar("T")
S = TypeVar("S")
Schema = dict[str, Any]
# Likeness of words from which on a slip of the finger is likelier than a wrong place
_SURE = 0.8
Check = Callable[[Mapping[str, Any], Entries, MappingNode, str, Document], None]

# Of whole numbers; what Argo and Kubernetes count with
LARGEST = 2**31 - 1


class Value(Generic[T]):
    """One kind of value. `expected` completes "must be …", `kinds` are the YAML kinds of its scalars."""

    expected = "a value"
    kinds: tuple[str, ...] = ()
    about = ""

    def says(self, about: str) -> Self:
        """Return the same kind of value with the sentence that editors show."""
        same = copy(self)
        same.about = about
        return same

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return the node's value, or None after noting in `doc` what is wrong with it; `name` says which key it is."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """Return the JSON Schema (2020-12) of what `read` takes."""
        raise NotImplementedError

    def described(self) -> Schema:
        """Return the schema with its sentence for editors."""
        return (
            {"description": self.about, **self.schema()}
            if self.about
            else self.schema()
        )

    def refuse(self, node: Node, name: str, doc: Document, advice: str = "") -> None:
        """Note that the node is nothing of this kind, with what would be right."""
        advice = (
            remedy(node, self.kinds, braces=doc.looks_like_placeholder(node)) or advice
        )
        doc.error(node, f"{name} must be {self.expected}, not {describe(node)}", advice)


class Text(Value[str]):
    """A string without control characters, of `most` characters; a pattern must match all of it.

    `lines` allows line breaks and tabs.
    """

    kinds = (STR,)

    def __init__(
        self,
        expected: str = "text",
        pattern: str | None = None,
        advice: str = "",
        *,
        most: int | None = None,
        lines: bool = False,
    ) -> None:
        self.expected = expected
        self.advice = advice
        self.most = most
        self.lines = lines
        self.pattern = pattern

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the text."""
        if node.tag != STR or not isinstance(node, ScalarNode):
            self.refuse(node, name, doc, self.advice)
            return None
        text: str = node.value
        if odd := control_in(text, lines=self.lines):
            doc.error(
                node,
                f"{name} holds the control character U+{ord(odd):04X}",
                "Remove it.",
            )
            return None
        if self.most is not None and len(text) > self.most:
            doc.error(
                node,
                f"{name} must have at most {self.most} characters, not {len(text)}",
            )
            return None
        if not self._matches(text):
            doc.error(
                node,
                f"{name} must be {self.expected}, not '{excerpt(text)}'",
                self.advice,
            )
            return None
        return text

    def _matches(self, text: str) -> bool:
        return self.pattern is None or re.fullmatch(self.pattern, text) is not None

    def refuse(self, node: Node, name: str, doc: Document, advice: str = "") -> None:
        """Advise quotes only where what stands in them would do."""
        if node.tag in (INT, FLOAT) and not self._matches(node.value):
            doc.error(
                node, f"{name} must be {self.expected}, not {describe(node)}", advice
            )
        else:
            super().refuse(node, name, doc, advice)

    def schema(self) -> Schema:
        """A pattern says both what must and what must not be there."""
        characters = CONTROL_BUT_LINES if self.lines else CONTROL
        control = "".join(c if c == "-" else f"\\u{ord(c):04x}" for c in characters)
        pattern = (
            f"^[^{control}]*$" if self.pattern is None else f"^(?:{self.pattern})$"
        )
        most = {} if self.most is None else {"maxLength": self.most}
        return {"type": "string", "pattern": pattern, **most}


class Choice(Text):
    """One of some words."""

    def __init__(self, *words: str) -> None:
        super().__init__(one_of(words))
        self.words = words

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the word."""
        if (
            isinstance(node, ScalarNode)
            and node.tag == STR
            and node.value in self.words
        ):
            return str(node.value)
        near = nearest(node.value, self.words) if isinstance(node, ScalarNode) else None
        self.refuse(node, name, doc, f"Did you mean '{near}'?" if near else "")
        return None

    def schema(self) -> Schema:
        """An enumeration."""
        return {"enum": list(self.words)}


class Boolean(Value[bool]):
    """`true` or `false`."""

    expected = "true or false"
    kinds = (BOOL,)

    def read(self, node: Node, name: str, doc: Document) -> bool | None:
        """Return the truth value."""
        text = node.value.lower() if isinstance(node, ScalarNode) else ""
        if node.tag != BOOL or text not in ("true", "false"):
            self.refuse(node, name, doc)
            return None
        return bool(text == "true")

    def schema(self) -> Schema:
        """JSON's own."""
        return {"type": "boolean"}


class Integer(Value[int]):
    """A whole number of at least `least`; floats like `1.0` are none."""

    kinds = (INT,)

    def __init__(self, least: int) -> None:
        self.least = least
        self.expected = f"a whole number of at least {least}"

    def read(self, node: Node, name: str, doc: Document) -> int | None:
        """Return the number."""
        if node.tag != INT or not isinstance(node, ScalarNode):
            self.refuse(node, name, doc)
            return None
        number = decimal_of(node.value)
        if number is None or number > LARGEST:
            doc.error(node, f"{name} is out of range: {excerpt(node.value)}")
            return None
        if number < self.least:
            self.refuse(node, name, doc)
            return None
        return int(number)

    def schema(self) -> Schema:
        """JSON Schema takes 1.0 as well: it knows no difference."""
        return {"type": "integer", "minimum": self.least, "maximum": LARGEST}


class Nullable(Value[T]):
    """A value that `null` says to be absent; with `empty` an empty mapping says so too."""

    def __init__(self, value: Value[T], *, empty: bool = False) -> None:
        self.value = value
        self.empty = empty

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return the value or None."""
        if node.tag == NULL or (
            self.empty and isinstance(node, MappingNode) and not node.value
        ):
            return None
        return self.value.read(node, name, doc)

    def schema(self) -> Schema:
        """The value or null."""
        nothing = [
            {"type": "null"},
            *([{"type": "object", "maxProperties": 0}] if self.empty else []),
        ]
        return {"anyOf": [*nothing, self.value.schema()]}


class OneOrMany(Value[tuple[T, ...]]):
    """A list of values, or one without the list."""

    def __init__(self, value: Value[T], *, unique: bool = False) -> None:
        self.value = value
        self.unique = unique
        self.expected = f"{value.expected}, or a list of such"
        self.kinds = value.kinds

    def read(self, node: Node, name: str, doc: Document) -> tuple[T, ...] | None:
        """Return all values."""
        if isinstance(node, MappingNode) or (
            isinstance(node, ScalarNode) and node.tag not in self.kinds
        ):
            self.refuse(node, name, doc)
            return None
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        read = self.value.read
        values = [
            read(each, f"entry {n} of {name}" if each is not node else name, doc)
            for n, each in enumerate(nodes, 1)
        ]
        if self.unique:
            self._once(nodes, name, doc)
        return tuple(value for value in values if value is not None)

    def _once(self, nodes: list[Node], name: str, doc: Document) -> None:
        seen = set()
        for node in nodes:
            if isinstance(node, ScalarNode) and node.value in seen:
                doc.error(
                    node, f"'{excerpt(node.value)}' is twice in {name}", "Remove one."
                )
            seen.add(str(node.value))

    def schema(self) -> Schema:
        """Both forms."""
        one = self.value.schema()
        return {
            "anyOf": [
                one,
                {
                    "type": "array",
                    "items": one,
                    **({"uniqueItems": True} if self.unique else {}),
                },
            ]
        }


class Shorthand(Value[T]):
    """A mapping, or a short form of it that `expand` makes the same."""

    def __init__(
        self, short: Value[S], expand: Callable[[S], T], full: Value[T]
    ) -> None:
        self.short = short
        self.full = full
        self.expand = expand
        self.expected = f"{short.expected}, or a mapping"
        self.kinds = short.kinds

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return what either form says."""
        if isinstance(node, MappingNode) and not doc.looks_like_placeholder(node):
            return self.full.read(node, name, doc)
        if not isinstance(node, ScalarNode) or node.tag not in self.kinds:
            self.refuse(node, name, doc)
            return None
        short = self.short.read(node, name, doc)
        return None if short is None else self.expand(short)

    def schema(self) -> Schema:
        """Both forms."""
        return {"anyOf": [self.short.schema(), self.full.schema()]}


class Mapped(Value[dict[str, T]]):
    """A mapping with keys of the user's own."""

    expected = "a mapping"

    def __init__(self, key: Text, value: Value[T]) -> None:
        self.key = key
        self.value = value

    def read(self, node: Node, name: str, doc: Document) -> dict[str, T] | None:
        """Return the values by their keys as written."""
        if (
            not isinstance(node, MappingNode)
            or node.tag != MAP
            or doc.looks_like_placeholder(node)
        ):
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
        """Any key of the right form."""
        names = self.key.schema()
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": self.value.schema(),
        }


class Record(Value[T]):
    """A mapping with known keys only, dashes in them being underscores, made into `make(**values)`.

    `required` maps keys to an example of how to write them, `hints` unknown keys to advice of their own.
    """

    expected = "a mapping"

    def __init__(
        self,
        make: Callable[..., T],
        keys: Mapping[str, Value[Any]],
        *,
        required: Mapping[str, str] | None = None,
        hints: Mapping[str, str] | None = None,
        check: Check | None = None,
    ) -> None:
        self.make = make
        self.keys = keys
        self.required = required or {}
        self.hints = hints or {}
        self.check = check

    def names(self) -> tuple[str, ...]:
        """Return the known keys."""
        return tuple(self.keys)

    def find(self, key: str) -> Value[Any] | None:
        """Return what stands under a key, None where the key is unknown."""
        return self.keys.get(key)

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return what the values make."""
        if (
            not isinstance(node, MappingNode)
            or node.tag != MAP
            or doc.looks_like_placeholder(node)
        ):
            advice = (
                "Write its keys without '- ' before them."
                if isinstance(node, SequenceNode)
                else ""
            )
            self.refuse(node, name or "the file", doc, advice)
            return None
        before = doc.errors
        values: dict[str, Any] = {}
        meant = set()
        entries = doc.entries(node, name, underscored)
        for key, (key_node, value_node) in entries.items():
            if (value := self.find(key)) is None:
                meant.add(self.unknown(key_node, name, doc))
            else:
                values[key] = value.read(
                    value_node,
                    f"{name}.{key_node.value}" if name else key_node.value,
                    doc,
                )
        for key, example in self.required.items():
            if key not in entries and key not in meant:
                doc.error(node, f"'{key}' is missing{within(name)}", example)
        if self.check:
            self.check(values, entries, node, name, doc)
        return None if doc.errors > before else self.make(**values)

    def unknown(self, key_node: ScalarNode, name: str, doc: Document) -> str | None:
        """Note a key that nothing knows; return the known one that was probably meant."""
        key = underscored(key_node.value)
        if doc.is_full:
            doc.error(key_node, "unknown key")
            return None
        near = nearest(key, self.names(), _SURE)
        where = None if near else doc.belongs(key)
        if not near and where in (None, name):
            near, where = nearest(key, self.names()), None
        doc.error(
            key_node,
            f"unknown key '{excerpt(key_node.value)}'{within(name)}",
            self.hints.get(key)
            or (f"Did you mean '{near}'?" if near else "")
            or (
                f"'{excerpt(key)}' belongs directly in {where}; is the indentation right?"
                if where
                else ""
            )
            or f"Known here: {', '.join(self.names()) or 'nothing'}.",
        )
        return near

    def schema(self) -> Schema:
        """A closed object, each key in both spellings."""
        properties = {}
        for key in self.names():
            value = self.find(key)
            for spelling in dict.fromkeys((key, key.replace("_", "-"))):
                properties[spelling] = value.described() if value else {}
        required = {"required": list(self.required)} if self.required else {}
        return {
            "type": "object",
            "properties": properties,
            **required,
            "additionalProperties": False,
        }


def underscored(key: str) -> str:
    """Return the one spelling of a key that may be written with dashes."""
    return key.replace("-", "_")
