"""`parameters`: names with one value, several values, a range or a distribution.

Values are kept as the texts that the user wrote.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from riseml.config import distributions, json_values, ranges
from riseml.config.numbers import Number, PositiveNumber
from riseml.config.variables import is_reserved, warning_about
from riseml.distributions import Values
from riseml.excerpts import excerpt
from riseml.plan import variable_of
from riseml.schema.fields import Mapped, Record, Schema, T, Text, Value
from riseml.schema.messages import describe, nearest, number_text
from riseml.schema.texts import control_in
from riseml.schema.yaml_document import Document, Entries
from riseml.schema.yaml_kinds import (
    BOOL,
    FLOAT,
    INT,
    NULL,
    STR,
    is_scalar,
    kind_of,
)
from riseml.search import MAX_TRIALS

_NUMBERS = (INT, FLOAT)
_SCALARS = (STR, INT, FLOAT, BOOL)
_NAME = Text(
    "letters, digits, '-', '_' and single dots between them, beginning with a letter or '_'",
    r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*",
    "It becomes an environment variable, and {{name}} in commands.",
)
# The schema of a text without the braces and control characters that `_check_value` refuses.
_TEXT = {
    "type": "string",
    "pattern": r"^(?!.*\{\{)[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$",
}
_FORMS: list[Schema] = [{"type": ["number", "boolean", "null"]}, _TEXT]
_ITEM: Schema = {"anyOf": [*_FORMS, json_values.SCHEMA]}
LISTED: Schema = {
    "type": "object",
    "propertyNames": _NAME.schema(),
    "additionalProperties": _ITEM,
    "minProperties": 1,
}
"""JSON Schema of one experiment in a list of experiments."""
# A word that is so similar to that of a distribution (0 to 1) is a slip.
_MISSPELT = 0.8
_RANGE_KEY = "range"
_RANGE_KEYS = ("min", "max", "step")
_RANGE_EXAMPLE = (
    "Write for example {range: {min: 1, max: 5, step: 1}}; max is the last value."
)


class _Values(Value[Values]):
    """One value, a list of values, a range, or a distribution."""

    expected = "a number, text, true, false or null, a list of these, a range, or a distribution"
    kinds = _SCALARS

    def read(self, node: Node, name: str, doc: Document) -> Values | None:
        """Return all values as texts, or their distribution."""
        if isinstance(node, SequenceNode):
            return _read_list(node, name, doc)
        if doc.is_mapping(node):
            return _read_mapping(node, name, doc)
        if is_scalar(node, NULL):
            return _read_null(node, name, doc)
        if not is_scalar(node, *_SCALARS):
            self.refuse(node, name, doc)
            return None
        _check_value(node, name, doc)
        # Quotes show that the commas are meant.
        if node.tag == STR and not node.style and _looks_like_list(node.value):
            doc.warn(
                node,
                f"{name} is one text, not several values",
                f"For a list write [{excerpt(node.value)}].",
            )
        return (node.value,)

    def schema(self) -> Schema:
        """Return all forms."""
        items = {"type": "array", "items": _ITEM, "minItems": 1}
        distributed = [form.schema() for form in distributions.forms().values()]
        return {"anyOf": [*_FORMS, items, _RANGE.schema(), *distributed]}

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return the range and the distributions."""
        return {_RANGE_KEY: _RANGE, **distributions.forms()}


def _read_null(node: ScalarNode, name: str, doc: Document) -> tuple[str, ...] | None:
    if not node.value:
        # It is likelier that a value was forgotten.
        advice = "Write null to pass on JSON's null, or remove the name."
        doc.error(node, f"{name} is empty", advice)
        return None
    return ("null",)


def _read_mapping(node: MappingNode, name: str, doc: Document) -> Values | None:
    form = distributions.form_of(node, name, doc)
    keys = list(doc.entries(node, name))
    if form is None and keys and _RANGE_KEY not in keys:
        # A misspelt word must not become a value.
        message = f"{name} is a mapping, but neither a range nor a distribution"
        advice = f"{_RANGE_EXAMPLE} For one value that is a mapping, write [{{…}}]."
        near = nearest(keys[0], (_RANGE_KEY, *distributions.WORDS), _MISSPELT)
        doc.error(node, message, f"Did you mean '{near}'?" if near else advice)
        return None
    return (form or _RANGE).read(node, name, doc)


def _read_list(node: SequenceNode, name: str, doc: Document) -> tuple[str, ...] | None:
    if not node.value:
        doc.error(node, f"{name} has no values", "Give it at least one, or remove it.")
        return None
    return tuple(_read_item(item, name, doc) for item in node.value)


def _read_item(node: Node, name: str, doc: Document) -> str:
    """Return the text of one value in a list; "" after noting what is wrong with it."""
    if is_scalar(node, *_SCALARS):
        _check_value(node, name, doc)
        return str(node.value)
    is_collection = isinstance(node, SequenceNode) or doc.is_mapping(node)
    if is_collection or (is_scalar(node, NULL) and node.value):
        return json_values.read(node, name, doc)
    message = f"a value of {name} must be a number, text, true, false, null, a list or a mapping"
    doc.error(node, f"{message}, not {describe(node)}")
    return ""


def _looks_like_list(text: str) -> bool:
    items = text.split(",")
    return len(items) > 1 and all(kind_of(item.strip()) in _NUMBERS for item in items)


def _check_value(node: ScalarNode, name: str, doc: Document) -> None:
    text = node.value
    control = control_in(text)
    if "{{" in text:
        doc.error(
            node,
            f"a value of {name} contains '{{{{'",
            "Argo would interpret it; write the value without it.",
        )
    elif control:
        doc.error(
            node,
            f"a value of {name} contains the control character U+{ord(control):04X}",
            "Remove it.",
        )
    # Infinity and not-a-number are floats to YAML; other numbers end in a digit or dot.
    elif node.tag == FLOAT and text[-1] in "fFnN":
        plain = text.lower().replace(".", "")
        doc.warn(
            node,
            f"{name} gets the text '{text}', as written",
            f'Most programs read "{plain}", in quotes.',
        )


class _Lenient(Record[T]):
    """A mapping whose unknown keys are ignored with a warning, as RiseML did in 2018."""

    def unknown(self, key_node: ScalarNode, name: str, doc: Document) -> None:
        """Note that the key has no effect."""
        advice = f"Known keys: {', '.join(self.names())}."
        doc.warn(
            key_node, f"'{excerpt(key_node.value)}' in {name} has no effect", advice
        )

    def schema(self) -> Schema:
        """Return an open object."""
        schema = super().schema()
        del schema["additionalProperties"]
        return schema


def _check_range(
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
        return
    count = ranges.steps(first, last, step)
    if count > MAX_TRIALS:
        doc.error(
            node,
            f"{name} has {number_text(count)} values; a range has at most {MAX_TRIALS:,}",
            "Use a larger step.",
        )


def _spread(**bounds: tuple[Decimal, str]) -> tuple[str, ...]:
    first, last, step = (bounds[key][0] for key in _RANGE_KEYS)
    form = _form(bounds["min"][1], bounds["step"][1])
    return tuple(ranges.spread(first, last, step, form))


def _form(*texts: str) -> str:
    """Return how to write the values of a range whose bounds are written like this."""
    if set(map(kind_of, texts)) == {INT}:
        return ""
    return "e" if "e" in "".join(texts).lower() else "f"


_BOUNDS = _Lenient(
    _spread,
    {
        "min": Number(_RANGE_EXAMPLE).says("The first value.", example=1),
        "max": Number(_RANGE_EXAMPLE).says("The last value.", example=5),
        "step": PositiveNumber(_RANGE_EXAMPLE).says(
            "Distance of neighbouring values.", example=1
        ),
    },
    required=dict.fromkeys(_RANGE_KEYS, _RANGE_EXAMPLE),
    check=_check_range,
)
_RANGE = _Lenient(
    lambda **values: values["range"],
    {
        "range": _BOUNDS.says(
            "Numbers from min to max, both included.",
            example={"min": 1, "max": 5, "step": 1},
        )
    },
    required={"range": _RANGE_EXAMPLE},
)


class Parameters(Value[dict[str, Values]]):
    """The mapping of names to values; null, `{}` and `[]` mean no parameters."""

    expected = "a mapping of names to values"

    def __init__(self) -> None:
        self._mapping = Mapped(_NAME, _Values())

    def read(self, node: Node, name: str, doc: Document) -> dict[str, Values] | None:
        """Return the values by name."""
        if node.tag == NULL or (isinstance(node, SequenceNode) and not node.value):
            return {}
        values = self._mapping.read(node, name, doc)
        if values is None or not isinstance(node, MappingNode):
            return None
        entries = doc.entries(node, name)
        _check_names({key: key_node for key, (key_node, _) in entries.items()}, doc)
        return values

    def schema(self) -> Schema:
        """Return the mapping and the two ways to write none."""
        return {
            "anyOf": [
                {"type": "null"},
                {"type": "array", "maxItems": 0},
                self._mapping.schema(),
            ]
        }

    def mappings(self) -> Mapping[str, Value[Any]]:
        """Return the mapping of names."""
        return self._mapping.mappings()


def _check_names(keys: Mapping[str, ScalarNode], doc: Document) -> None:
    """Note names whose variable is reserved, used twice, or set by other programs too."""
    names: dict[str, str] = {}
    for key, node in keys.items():
        variable = variable_of(key)
        name = excerpt(key)
        other = names.setdefault(variable, key)
        warning = warning_about(variable, name)
        prefixes = [outer for outer in keys if key.startswith(f"{outer}.")]
        if is_reserved(variable):
            doc.error(
                node,
                f"a parameter cannot be called '{name}': ${variable} is reserved",
                "Rename it.",
            )
        elif other != key:
            doc.error(
                node,
                f"'{excerpt(other)}' and '{name}' would both be ${variable}",
                "Rename one of them.",
            )
        elif prefixes:
            doc.error(
                node,
                f"'{excerpt(prefixes[0])}' and '{name}' cannot be used together",
                f"Argo would take one for the other; rename '{excerpt(prefixes[0])}'.",
            )
        elif warning:
            doc.warn(node, warning, f"Use {{{{{name}}}}} in commands.")
