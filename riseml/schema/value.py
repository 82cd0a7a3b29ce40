"""Base of all kinds of values in riseml.yml: each reads a YAML node and has a JSON Schema, so that the two agree."""

from collections.abc import Mapping
from copy import copy
from typing import Any, Generic, Self, TypeVar

from yaml.nodes import Node

from riseml.schema.messages import describe, remedy
from riseml.schema.yaml_document import Document

T = TypeVar("T")
S = TypeVar("S")
Schema = dict[str, Any]


class Value(Generic[T]):
    """One kind of value.

    `expected` completes the sentence "must be …". `kinds` are the YAML kinds of its scalars.
    `about` is the sentence that editors and the reference show. `default` is the value of an
    absent key, or `otherwise` says what it is. `local` and `cluster` say what differs between
    one machine and a cluster.
    """

    expected = "a value"
    kinds: tuple[str, ...] = ()
    about = ""
    default: Any = None
    otherwise = ""
    example: Any = None
    local = ""
    cluster = ""

    def says(
        self,
        about: str,
        *,
        default: Any = None,
        otherwise: str = "",
        example: Any = None,
        local: str = "",
        cluster: str = "",
    ) -> Self:
        """Return the same kind of value with sentences for editors and the reference."""
        described = copy(self)
        described.about = about
        described.default = default
        described.otherwise = otherwise
        described.example = example
        described.local = local
        described.cluster = cluster
        return described

    def mappings(self) -> "Mapping[str, Value[Any]]":
        """Return the mappings that are such a value, by a word that tells several forms apart."""
        return {}

    def read(self, node: Node, name: str, doc: Document) -> T | None:
        """Return the node's value, or None after noting in `doc` what is wrong with it.

        `name` is the key's full name for messages: `train.resources.cpus`.
        """
        raise NotImplementedError

    def schema(self) -> Schema:
        """Return the JSON Schema (2020-12) of everything that `read` accepts."""
        raise NotImplementedError

    def described(self) -> Schema:
        """Return the schema with the sentence for editors."""
        if not self.about:
            return self.schema()
        sentences = [self.about]
        notes: Schema = {}
        if self.default is not None:
            notes["default"] = self.default
        if self.otherwise:
            sentences.append(f"By default {self.otherwise}.")
        if self.local:
            sentences.append(f"On one machine: {self.local}.")
        if self.cluster:
            sentences.append(f"On a cluster: {self.cluster}.")
        if self.example is not None:
            notes["examples"] = [self.example]
        return {"description": " ".join(sentences), **notes, **self.schema()}

    def refuse(self, node: Node, name: str, doc: Document, advice: str = "") -> None:
        """Note that the node is not of this kind; `advice` is for nodes that have no better one."""
        braces = doc.looks_like_placeholder(node)
        advice = remedy(node, self.kinds, braces=braces) or advice
        doc.error(node, f"{name} must be {self.expected}, not {describe(node)}", advice)
