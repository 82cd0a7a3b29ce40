"""Scalars in riseml.yml: text, words and names to choose from, truth values and whole numbers."""

import re
from collections.abc import Callable

from yaml.nodes import MappingNode, Node

from riseml.excerpts import excerpt
from riseml.schema.messages import describe, did_you_mean, one_of
from riseml.schema.texts import CONTROL, CONTROL_BUT_LINES, control_in
from riseml.schema.value import Schema, Value
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import (
    BOOL,
    FLOAT,
    INT,
    STR,
    decimal_of,
    is_scalar,
    text_of,
)

LARGEST = 2**31 - 1
"""The largest whole number: Argo and Kubernetes count with 32 bits."""

_COLON = "YAML reads `: ` in it as a mapping. Put the line in quotes, or write it below `- |`."
# A tag can call any text a truth value: `!!bool maybe`.
_TRUTH = {"true": True, "false": False}


class Text(Value[str]):
    """A string of at most `most` characters without control characters.

    A `pattern` must match all of it. `lines` allows line breaks and tabs.
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
        if not is_scalar(node, STR):
            self.refuse(node, name, doc, self.advice)
            return None
        text: str = node.value
        fault = self._fault(text)
        if fault:
            message, advice = fault
            doc.error(node, f"{name} {message}", advice)
            return None
        return text

    def refuse(self, node: Node, name: str, doc: Document, advice: str = "") -> None:
        """Note that the node is not such a text; advise quotes only where they would help."""
        if isinstance(node, MappingNode) and not node.flow_style:
            advice = _COLON
        if node.tag in (INT, FLOAT) and not self._matches(node.value):
            doc.error(
                node, f"{name} must be {self.expected}, not {describe(node)}", advice
            )
        else:
            super().refuse(node, name, doc, advice)

    def schema(self) -> Schema:
        """Return a string with a pattern, which also excludes control characters."""
        if self.pattern is None:
            control = CONTROL_BUT_LINES if self.lines else CONTROL
            pattern = f"^[^{control}]*$"
        else:
            pattern = f"^(?:{self.pattern})$"
        most = {} if self.most is None else {"maxLength": self.most}
        return {"type": "string", "pattern": pattern, **most}

    def _fault(self, text: str) -> tuple[str, str] | None:
        """Return what is wrong with a text, as a message without its subject, and advice."""
        control = control_in(text, lines=self.lines)
        if control:
            return f"contains the control character U+{ord(control):04X}", "Remove it."
        if self.most is not None and len(text) > self.most:
            return f"must have at most {self.most} characters, not {len(text)}", ""
        if not self._matches(text):
            return f"must be {self.expected}, not '{excerpt(text)}'", self.advice
        return None

    def _matches(self, text: str) -> bool:
        return self.pattern is None or re.fullmatch(self.pattern, text) is not None


class Choice(Text):
    """One of several words."""

    def __init__(self, *words: str) -> None:
        super().__init__(one_of(words))
        self.words = words

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the word."""
        if is_scalar(node, STR) and node.value in self.words:
            return str(node.value)
        self.refuse(node, name, doc, did_you_mean(text_of(node), self.words))
        return None

    def schema(self) -> Schema:
        """Return an enumeration."""
        return {"enum": list(self.words)}


class PluginName(Value[str]):
    """The name of a plug-in of one kind.

    `exists` decides whether a name is one; `names` lists all of them, which takes longer.
    """

    kinds = (STR,)

    def __init__(
        self,
        exists: Callable[[str], bool],
        names: Callable[[], tuple[str, ...]],
        advice: str = "",
    ) -> None:
        self.exists = exists
        self.names = names
        self.advice = advice

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the name."""
        if is_scalar(node, STR) and self.exists(node.value):
            return str(node.value)
        # The names are read only for a message, since that imports importlib.metadata.
        names = self.names()
        self.expected = one_of(names)
        advice = did_you_mean(text_of(node), names, self.advice)
        self.refuse(node, name, doc, advice)
        return None

    def schema(self) -> Schema:
        """Return an enumeration of the names."""
        return {"enum": list(self.names())}


class Boolean(Value[bool]):
    """`true` or `false`."""

    expected = "true or false"
    kinds = (BOOL,)

    def read(self, node: Node, name: str, doc: Document) -> bool | None:
        """Return the truth value."""
        truth = _TRUTH.get(node.value.lower()) if is_scalar(node, BOOL) else None
        if truth is None:
            self.refuse(node, name, doc)
        return truth

    def schema(self) -> Schema:
        """Return JSON's own truth value."""
        return {"type": "boolean"}


class Integer(Value[int]):
    """A whole number of at least `least`; a float like `1.0` is not one."""

    kinds = (INT,)

    def __init__(self, least: int) -> None:
        self.least = least
        self.expected = f"a whole number of at least {least}"

    def read(self, node: Node, name: str, doc: Document) -> int | None:
        """Return the number."""
        if not is_scalar(node, INT):
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
        """Return an integer; JSON Schema accepts 1.0 as well, since it sees no difference."""
        return {"type": "integer", "minimum": self.least, "maximum": LARGEST}
