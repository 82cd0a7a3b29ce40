"""Distributions in `parameters`, from which some search strategies draw values.

lr: {loguniform: [1e-5, 0.1]}                 equal factors are equally likely
dropout: {uniform: [0, 0.5], step: 0.05}      0, 0.05, … 0.5
hidden: {int: [16, 512], log: true}           whole numbers
optimizer: {choice: [adam, sgd]}              the same as a list
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from yaml.nodes import MappingNode, Node, SequenceNode

from riseml.config.numbers import Number, PositiveNumber, WholeNumber
from riseml.distributions import CHOICE, FLOAT, INT, Distribution
from riseml.excerpts import excerpt
from riseml.quantities import number_text
from riseml.schema import yaml_kinds
from riseml.schema.fields import Boolean, Record, Schema, Text, Value
from riseml.schema.yaml_document import Document, Entries
from riseml.schema.yaml_kinds import BOOL, STR
from riseml.schema.yaml_kinds import FLOAT as FLOAT_KIND

_UNIFORM, _LOG_UNIFORM = "uniform", "loguniform"
_EXAMPLES = {
    _UNIFORM: "Write for example {uniform: [0, 1]}.",
    _LOG_UNIFORM: "Write for example {loguniform: [1e-5, 0.1]}.",
    INT: "Write for example {int: [1, 8]}.",
    CHOICE: "Write for example {choice: [adam, sgd]}.",
}


class Bounds(NamedTuple):
    """The least and the greatest value."""

    low: Decimal
    high: Decimal


class _BoundsValue(Value[Bounds]):
    """Two numbers of a kind, the smaller one first."""

    expected = "two numbers, the smaller one first"

    def __init__(self, number: Number) -> None:
        self.number = number

    def read(self, node: Node, name: str, doc: Document) -> Bounds | None:
        """Return both numbers."""
        if not isinstance(node, SequenceNode) or len(node.value) != len(Bounds._fields):
            self.refuse(node, name, doc, self.number.advice)
            return None
        low_node, high_node = node.value
        low = self.number.read(low_node, f"a bound of {name}", doc)
        high = self.number.read(high_node, f"a bound of {name}", doc)
        if low is None or high is None:
            return None
        bounds = Bounds(low[0], high[0])
        if bounds.low > bounds.high:
            message = f"{name} begins with its larger number"
            doc.error(node, message, f"Write [{bounds.high}, {bounds.low}].")
        elif bounds.low == bounds.high:
            message = f"{name} has only one value"
            doc.error(node, message, f"Write {bounds.low} instead of a distribution.")
        return bounds

    def schema(self) -> Schema:
        """Return a list of two numbers."""
        numbers = self.number.schema()
        return {"type": "array", "items": numbers, "minItems": 2, "maxItems": 2}


class _AnyScalar(Value[str]):
    """A number, text or truth value, used as it is written."""

    expected = "a number, text, true or false"
    kinds = (STR, yaml_kinds.INT, FLOAT_KIND, BOOL)
    text = Text(
        expected,
        r"(?!.*\{\{).*",
        "Argo would interpret '{{'; write the value without it.",
    )

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the text."""
        if yaml_kinds.is_scalar(node, STR):
            return self.text.read(node, name, doc)
        if yaml_kinds.is_scalar(node, *self.kinds):
            return str(node.value)
        self.refuse(node, name, doc)
        return None

    def schema(self) -> Schema:
        """Return any scalar but null."""
        return {"anyOf": [{"type": ["number", "boolean"]}, self.text.schema()]}


class _Choices(Value[tuple[str, ...]]):
    """A list of different values."""

    expected = "a list of values"

    def __init__(self) -> None:
        self.item = _AnyScalar()

    def read(self, node: Node, name: str, doc: Document) -> tuple[str, ...] | None:
        """Return the values as texts."""
        if not isinstance(node, SequenceNode) or not node.value:
            self.refuse(node, name, doc, _EXAMPLES[CHOICE])
            return None
        values: dict[str | None, Node] = {}
        for item in node.value:
            value = self.item.read(item, f"a value of {name}", doc)
            if value in values:
                message = f"'{excerpt(item.value)}' appears twice in {name}"
                doc.error(item, message, "Remove one.")
            values[value] = item
        return tuple(filter(None, values))

    def schema(self) -> Schema:
        """Return a list of scalars."""
        items = self.item.schema()
        return {"type": "array", "items": items, "minItems": 1, "uniqueItems": True}


def _uniform(uniform: Bounds, step: tuple[Decimal, str] | None = None) -> Distribution:
    return _numbers(FLOAT, uniform, step=_step(step, ""))


def _log_uniform(loguniform: Bounds) -> Distribution:
    return _numbers(FLOAT, loguniform, is_log=True)


def _integers(
    int: Bounds,  # noqa: A002
    step: tuple[Decimal, str] | None = None,
    log: bool = False,
) -> Distribution:
    return _numbers(INT, int, step=_step(step, "1"), is_log=log)


def _choices(choice: tuple[str, ...]) -> Distribution:
    return Distribution(CHOICE, choices=choice)


def _numbers(
    kind: str, bounds: Bounds, *, step: str = "", is_log: bool = False
) -> Distribution:
    return Distribution(
        kind,
        low=number_text(bounds.low),
        high=number_text(bounds.high),
        step=step,
        is_log=is_log,
    )


def _step(step: tuple[Decimal, str] | None, default: str) -> str:
    return default if step is None else number_text(step[0])


def _check_step(
    values: Mapping[str, Any],
    entries: Entries,
    _node: MappingNode,
    name: str,
    doc: Document,
) -> None:
    """Note a step that does not lead from one bound to the other."""
    bounds = values.get(_UNIFORM) or values.get(INT)
    step = values.get("step")
    if bounds is None or step is None or bounds.low > bounds.high:
        return
    remainder = (bounds.high - bounds.low) % step[0]
    if remainder:
        doc.error(
            entries["step"][1],
            f"the step {step[1]} of {name} does not lead from {bounds.low} to {bounds.high}",
            f"Its last value would be {bounds.high - remainder}.",
        )


def _check_integers(
    values: Mapping[str, Any],
    entries: Entries,
    node: MappingNode,
    name: str,
    doc: Document,
) -> None:
    """Note what does not go together with a logarithmic scale, and a step that does not fit."""
    bounds = values.get(INT)
    if not values.get("log") or bounds is None:
        _check_step(values, entries, node, name, doc)
        return
    if bounds.low <= 0:
        doc.error(
            entries[INT][1],
            f"a logarithmic scale begins above 0, but {name} begins at {bounds.low}",
            "Begin it at 1, or remove log.",
        )
    if "step" in entries:
        doc.error(
            entries["step"][0],
            f"{name} has a step, but a logarithmic scale has none",
            "Remove it.",
        )


_BOUNDS_SENTENCE = "The least and the greatest value, both included."
_ONE_FORM = dict.fromkeys(_EXAMPLES, "A parameter has one distribution.")
_HINTS = {
    **_ONE_FORM,
    "log": "Write {loguniform: [1e-5, 0.1]} for a logarithmic scale.",
    "step": "Only uniform and int have steps.",
}
_WHOLE = WholeNumber(_EXAMPLES[INT])
_FORMS: dict[str, Record[Distribution]] = {
    _UNIFORM: Record(
        _uniform,
        {
            _UNIFORM: _BoundsValue(Number(_EXAMPLES[_UNIFORM])).says(
                f"{_BOUNDS_SENTENCE} All numbers between them are equally likely.",
                example=[0, 0.5],
            ),
            "step": PositiveNumber("Write for example step: 0.1.").says(
                "Distance of neighbouring values.",
                otherwise="all numbers are possible",
                example=0.05,
            ),
        },
        required={_UNIFORM: _EXAMPLES[_UNIFORM]},
        hints=_HINTS,
        check=_check_step,
    ),
    _LOG_UNIFORM: Record(
        _log_uniform,
        {
            _LOG_UNIFORM: _BoundsValue(PositiveNumber(_EXAMPLES[_LOG_UNIFORM])).says(
                f"{_BOUNDS_SENTENCE} Equal factors are equally likely.",
                example=[1e-5, 0.1],
            )
        },
        required={_LOG_UNIFORM: _EXAMPLES[_LOG_UNIFORM]},
        hints=_HINTS,
    ),
    INT: Record(
        _integers,
        {
            INT: _BoundsValue(_WHOLE).says(
                f"{_BOUNDS_SENTENCE} The values are whole numbers.", example=[16, 512]
            ),
            "step": WholeNumber("Write for example step: 2.", least=1).says(
                "Distance of neighbouring values.", default=1, example=16
            ),
            "log": Boolean().says(
                "Whether the scale is logarithmic.", default=False, example=True
            ),
        },
        required={INT: _EXAMPLES[INT]},
        hints=_HINTS,
        check=_check_integers,
    ),
    CHOICE: Record(
        _choices,
        {
            CHOICE: _Choices().says(
                "Values, all equally likely.", example=["adam", "sgd"]
            )
        },
        required={CHOICE: _EXAMPLES[CHOICE]},
        hints=_HINTS,
    ),
}


WORDS = tuple(_FORMS)
"""The words that begin a distribution."""


def form_of(node: MappingNode, name: str, doc: Document) -> Record[Distribution] | None:
    """Return how to read a mapping that is a distribution, None for another mapping."""
    entries = doc.entries(node, name)
    forms = filter(entries.__contains__, _FORMS)
    return _FORMS.get(next(forms, ""))


def forms() -> Mapping[str, Record[Distribution]]:
    """Return the mapping of each distribution, by the word that begins it."""
    return _FORMS
