"""Numbers whose exact value and text both count: bounds of ranges and distributions."""

from decimal import Decimal

from yaml.nodes import Node

from riseml.schema.fields import Schema, Value
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import FLOAT, INT, decimal_of, is_scalar

_NUMBERS = (INT, FLOAT)
# Programs that read numbers as floats do not distinguish larger whole numbers.
_LARGEST = 2**53


class Number(Value[tuple[Decimal, str]]):
    """A finite number with its text; `advice` shows how to write one."""

    expected = "a number"
    kinds = _NUMBERS

    def __init__(self, advice: str = "") -> None:
        self.advice = advice

    def read(self, node: Node, name: str, doc: Document) -> tuple[Decimal, str] | None:
        """Return the number and its text."""
        if is_scalar(node, *_NUMBERS):
            number = decimal_of(node.value)
            if number is not None and self.allows(number):
                return number, node.value
        self.refuse(node, name, doc, self.advice)
        return None

    def schema(self) -> Schema:
        """Return JSON's number."""
        return {"type": "number"}

    def allows(self, _number: Decimal) -> bool:
        """Return whether the number is in the bounds of this kind: here, any is."""
        return True


class PositiveNumber(Number):
    """A number above 0."""

    expected = "a number above 0"

    def schema(self) -> Schema:
        """Return JSON's number with a bound."""
        return {"type": "number", "exclusiveMinimum": 0}

    def allows(self, number: Decimal) -> bool:
        """Return whether the number is above 0."""
        return number > 0


class WholeNumber(Number):
    """A whole number of at least `least`, and not so large that programs would round it."""

    expected = "a whole number"

    def __init__(self, advice: str = "", *, least: int = -_LARGEST) -> None:
        super().__init__(advice)
        self.least = least
        if least > -_LARGEST:
            self.expected = f"a whole number of at least {least}"

    def schema(self) -> Schema:
        """Return JSON's integer with bounds."""
        return {"type": "integer", "minimum": self.least, "maximum": _LARGEST}

    def allows(self, number: Decimal) -> bool:
        """Return whether the number is whole, and neither too small nor too large."""
        return number % 1 == 0 and self.least <= number <= _LARGEST
