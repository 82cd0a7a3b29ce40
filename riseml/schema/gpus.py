"""GPUs in riseml.yml: whole cards, or one of equal parts of a card, and which cards will do."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from yaml.nodes import MappingNode, Node

from riseml.resources import MOST_PARTS
from riseml.schema.scalars import LARGEST, Text
from riseml.schema.value import Schema, Value
from riseml.schema.yaml_document import Document, Entries
from riseml.schema.yaml_kinds import FLOAT, INT, decimal_of, is_scalar

# The hundredth of a card has two digits, and nobody writes more than six.
_MOST_DIGITS = 6
_REASON = "a part of a GPU is 1/n, so that n jobs share it."


class Gpus(Value[int | Decimal]):
    """A whole number of GPUs, or 1/n of one: exact, or rounded to digits that fit one n only.

    `0.33` is a third. `0.3` is not, because it could be a quarter as well.
    """

    expected = "a whole number of at least 0, or 1/n of a GPU such as 0.25"
    kinds = (INT,)

    def read(self, node: Node, name: str, doc: Document) -> int | Decimal | None:
        """Return the number of cards, or the part of a card as it is written."""
        number = decimal_of(node.value) if is_scalar(node, INT, FLOAT) else None
        if number is None:
            self.refuse(node, name, doc)
            return None
        if is_scalar(node, INT) and 0 <= number <= LARGEST:
            return int(number)
        if is_scalar(node, FLOAT) and parts_of(number):
            return number
        # A float such as 1.0 may be the result of a computation that went wrong.
        self.refuse(node, name, doc, _advice(number))
        return None

    def schema(self) -> Schema:
        """Return an integer, or a number up to a half; JSON Schema cannot name all parts."""
        part = {"type": "number", "minimum": 1 / MOST_PARTS, "maximum": 0.5}
        cards = {"type": "integer", "minimum": 0, "maximum": LARGEST}
        return {"anyOf": [cards, part]}


class GpuType(Text):
    """A type of GPU; some, such as `4090`, look like numbers."""

    def __init__(self) -> None:
        super().__init__(
            "the name of a GPU",
            "[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,61}[A-Za-z0-9])?",
            "Write for example a100, h100 or rtx-4090.",
        )

    def read(self, node: Node, name: str, doc: Document) -> str | None:
        """Return the text."""
        if is_scalar(node, INT) and self._matches(node.value):
            return str(node.value)
        return super().read(node, name, doc)

    def schema(self) -> Schema:
        """Return a string or a number."""
        return {"anyOf": [{"type": "integer", "minimum": 0}, super().schema()]}


def parts_of(share: Decimal) -> int:
    """Return n if a number is 1/n, exact or rounded without ambiguity; 0 if it is not."""
    if not Decimal(1) / MOST_PARTS <= share <= Decimal("0.5"):
        return 0
    exact = 1 / share
    if exact == int(exact):
        return int(exact)
    rounding = Decimal(5).scaleb(-_digits(share) - 1)
    nearest = int(exact)
    matches = []
    for parts in range(max(nearest - 1, 1), nearest + 3):
        if abs(Decimal(1) / parts - share) <= rounding:
            matches.append(parts)
    return matches[0] if len(matches) == 1 else 0


def share_text(parts: int) -> str:
    """Return the shortest number that stands for 1/parts of a card."""
    for digits in range(1, _MOST_DIGITS):
        share = round(Decimal(1) / parts, digits)
        if parts_of(share) == parts:
            return f"{share:f}"
    raise ValueError(parts)


def check(
    values: Mapping[str, Any],
    entries: Entries,
    _node: MappingNode,
    _name: str,
    doc: Document,
) -> None:
    """Warn of properties of GPUs in resources that request none."""
    for key in ("gpu_mem", "gpu_type"):
        if key in entries and not values.get("gpus", 0):
            doc.warn(entries[key][0], f"'{key}' has no effect without gpus")


def _advice(number: Decimal) -> str:
    if not 0 < number <= LARGEST:
        return ""
    if number == int(number):
        return f"Write {int(number)}."
    if number > 1:
        return f"Write {int(number)} or {int(number) + 1}: a job gets whole GPUs, or 1/n of a single one."
    if number > Decimal("0.5"):
        return f"Write 0.5 or 1: {_REASON}"
    parts = min(int(1 / number), MOST_PARTS)
    choices = [share_text(parts)]
    if parts < MOST_PARTS:
        choices.insert(0, share_text(parts + 1))
    return f"Write {' or '.join(choices)}: {_REASON}"


def _digits(number: Decimal) -> int:
    """Return how many digits a number has after its point."""
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
