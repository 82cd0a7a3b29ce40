"""`parameters`: a name and its values, or a range of them, kept as the texts that the user wrote."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.config.variables import doubt, is_reserved
from riseml.plan import variable_of
from riseml.schema.fields import Mapped, Record, Schema, T, Text, Value
from riseml.schema.messages import describe
from riseml.schema.yaml_document import (
    BOOL,
    FLOAT,
    INT,
    NULL,
    STR,
    Document,
    Entries,
    control_in,
    decimal_of,
    excerpt,
    kind_of,
)
from riseml.search import grid

_NUMBERS = (INT, FLOAT)
_SCALARS = (STR, INT, FLOAT, BOOL)
_NAME = Text(
    "letters, digits, '-' and '_', beginning with a letter or '_'",
    "[A-Za-z_][A-Za-z0-9_-]*",
    "It becomes a variable of the environment, and {{name}} in commands.",
)
_TEXT = {
    "type": "string",
    "pattern": r"^(?!.*\{\{)[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$",
}
_RANGE_KEYS = ("min", "max", "step")
_RANGE_EXAMPLE = (
    "Write for example {range: {min: 1, max: 5, step: 1}}; max is the last value."
)


class _Values(Value[tuple[str, ...]]):
    """One value, a list of them, or a range."""

    expected = (
        "a number, text, true or false, a list of numbers or of texts, or a range"
    )
    kinds = _SCALARS

    def read(self, node: Node, name: str, doc: Document) -> tuple[str, ...] | None:
        """Return all values as texts."""
        if isinstance(node, SequenceNode):
            return _list(node, name, doc)
        if isinstance(node, MappingNode) and not doc.looks_like_placeholder(node):
            return _RANGE.read(node, name, doc)
        if not isinstance(node, ScalarNode) or node.tag not in _SCALARS:
            self.refuse(node, name, doc)
            return None
        _check_value(node, name, doc)
        if node.tag == STR and not node.style and _looks_like_list(node.value):
            doc.warn(
                node,
                f"{name} is one text, not several values",
                f"For a list write [{excerpt(node.value)}].",
            )
        return (node.value,)

    def schema(self) -> Schema:
        """All forms."""
        numbers = {"type": "array", "items": {"type": "number"}, "minItems": 1}
        texts = {"type": "array", "items": _TEXT, "minItems": 1}
        return {
            "anyOf": [
                {"type": ["number", "boolean"]},
                _TEXT,
                numbers,
                texts,
                _RANGE.schema(),
            ]
        }


def _list(node: SequenceNode, name: str, doc: Document) -> tuple[str, ...] | None:
    if not node.value:
        doc.error(node, f"{name} has no values", "Give it at least one, or remove it.")
        return None
    first = node.value[0]
    for each in node.value:
        if not isinstance(each, ScalarNode) or each.tag not in (STR, INT, FLOAT):
            advice = (
                f'As text it can be: "{excerpt(each.value)}".'
                if each.tag == BOOL
                else ""
            )
            doc.error(
                each,
                f"a value of {name} must be a number or text, not {describe(each)}",
                advice,
            )
        elif first.tag in (STR, INT, FLOAT) and (first.tag == STR) != (each.tag == STR):
            doc.error(
                each,
                f"{name} mixes numbers and texts: {describe(first)} and {describe(each)}",
                "Put all of them in quotes, or none.",
            )
            return None
        else:
            _check_value(each, name, doc)
    return tuple(each.value for each in node.value if isinstance(each, ScalarNode))


def _looks_like_list(text: str) -> bool:
    parts = text.split(",")
    return len(parts) > 1 and all(kind_of(part.strip()) in _NUMBERS for part in parts)


def _check_value(node: ScalarNode, name: str, doc: Document) -> None:
    text = node.value
    if "{{" in text:
        doc.error(
            node,
            f"a value of {name} holds '{{{{'",
            "Argo would read it; write the value without.",
        )
    elif odd := control_in(text):
        doc.error(
            node,
            f"a value of {name} holds the control character U+{ord(odd):04X}",
            "Remove it.",
        )
    elif node.tag == FLOAT and text[-1] in "fFnN":
        plain = text.lower().replace(".", "")
        doc.warn(
            node,
            f"{name} gets the text '{text}', as written",
            f'Most programs read "{plain}", in quotes.',
        )


class _Number(Value[tuple[Decimal, str]]):
    """A finite number, with its text; with `positive` more than 0."""

    kinds = _NUMBERS

    def __init__(self, *, positive: bool = False) -> None:
        self.positive = positive
        self.expected = "a number above 0" if positive else "a number"

    def read(self, node: Node, name: str, doc: Document) -> tuple[Decimal, str] | None:
        """Return the number and its text."""
        number = (
            decimal_of(node.value)
            if isinstance(node, ScalarNode) and node.tag in _NUMBERS
            else None
        )
        if number is None or (self.positive and number <= 0):
            self.refuse(node, name, doc, _RANGE_EXAMPLE)
            return None
        return number, node.value

    def schema(self) -> Schema:
        """A number."""
        return {"type": "number", **({"exclusiveMinimum": 0} if self.positive else {})}


class _Lenient(Record[T]):
    """A mapping with known keys where others are ignored, as they were in 2018."""

    def unknown(self, key_node: ScalarNode, name: str, doc: Document) -> None:
        """Note the key as having no effect."""
        known = f"Known here: {', '.join(self.names())}."
        doc.warn(
            key_node, f"'{excerpt(key_node.value)}' in {name} has no effect", known
        )

    def schema(self) -> Schema:
        """An open object."""
        return {
            key: value
            for key, value in super().schema().items()
            if key != "additionalProperties"
        }


def _check_span(
    values: Mapping[str, Any],
    _entries: Entries,
    node: MappingNode,
    name: str,
    doc: Document,
) -> None:
    bounds = [values[key][0] for key in _RANGE_KEYS if values.get(key)]
    if len(bounds) < len(_RANGE_KEYS):
        return
    first, last, step = bounds
    if first > last:
        doc.error(
            node,
            f"{name}.min is more than {name}.max",
            "Ranges count upwards from min to max.",
        )
    elif (count := grid.steps(first, last, step)) > grid.MOST:
        doc.error(
            node,
            f"{name} has {_many(count)} values; {grid.MOST:,} are the most",
            "Take a larger step.",
        )


def _spread(**bounds: tuple[Decimal, str]) -> tuple[str, ...]:
    first, last, step = (bounds[key][0] for key in _RANGE_KEYS)
    return tuple(
        grid.spread(first, last, step, _form(bounds["min"][1], bounds["step"][1]))
    )


def _form(*texts: str) -> str:
    if all(kind_of(text) == INT for text in texts):
        return ""
    return "e" if any("e" in text.lower() for text in texts) else "f"


def _many(count: int) -> str:
    return f"{count:,}" if count < grid.MOST**3 else "more than 10^15"


_SPAN = _Lenient(
    _spread,
    {"min": _Number(), "max": _Number(), "step": _Number(positive=True)},
    required=dict.fromkeys(_RANGE_KEYS, _RANGE_EXAMPLE),
    check=_check_span,
)
_RANGE = _Lenient(
    lambda **values: values["range"],
    {"range": _SPAN},
    required={"range": _RANGE_EXAMPLE},
)


class Parameters(Value[dict[str, tuple[str, ...]]]):
    """The whole mapping; null, `{}` and `[]` say that there are none."""

    expected = "a mapping of names to values"

    def __init__(self) -> None:
        self._named = Mapped(_NAME, _Values())

    def read(
        self, node: Node, name: str, doc: Document
    ) -> dict[str, tuple[str, ...]] | None:
        """Return the values by name."""
        if node.tag == NULL or (isinstance(node, SequenceNode) and not node.value):
            return {}
        values = self._named.read(node, name, doc)
        if values is None or not isinstance(node, MappingNode):
            return None
        keys = {key: key_node for key, (key_node, _) in doc.entries(node, name).items()}
        _check_names(keys, doc)
        if (size := grid.size(values)) > grid.MOST:
            doc.error(
                node,
                f"the parameters make {_many(size)} experiments; {grid.MOST:,} are the most of one set",
                "Take fewer values, or several files.",
            )
            return None
        return values

    def schema(self) -> Schema:
        """The mapping, or nothing."""
        return {
            "anyOf": [
                {"type": "null"},
                {"type": "array", "maxItems": 0},
                self._named.schema(),
            ]
        }


def _check_names(keys: Mapping[str, ScalarNode], doc: Document) -> None:
    taken: dict[str, str] = {}
    for key, node in keys.items():
        variable = variable_of(key)
        shown_key = excerpt(key)
        if is_reserved(variable):
            doc.error(
                node,
                f"a parameter cannot be called '{shown_key}': ${variable} is needed otherwise",
                "Rename it.",
            )
        elif (other := taken.setdefault(variable, key)) != key:
            doc.error(
                node,
                f"'{excerpt(other)}' and '{shown_key}' would both be ${variable}",
                "Rename one of them.",
            )
        elif reason := doubt(variable):
            doc.warn(
                node,
                f"{reason}, not only that of '{shown_key}'",
                f"Use {{{{{shown_key}}}}} in commands.",
            )
