"""Distributions of parameters, for strategies that draw values: `{loguniform: [1e-5, 0.1]}`.

A value is the text that a job gets. It is short, and means the same number as the one that
the search continues with. The module needs only the standard library: the step of a search
that chooses the parameters of a round imports it, too.
"""

import math
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from riseml.dataclass import dataclass

if TYPE_CHECKING:
    from decimal import Decimal

FLOAT, INT, CHOICE = "float", "int", "choice"
# Digits of a value, counted from the first one in which the ends of its range differ.
_DIGITS = 6
# Each whole number stands for all numbers that are rounded to it.
_MARGINS = {FLOAT: 0.0, INT: 0.5}
# Texts in all forms that a number can have.
_SAMPLES = {
    FLOAT: ("0.5", "-0.5", "1e-05", "1.5e+16"),
    INT: ("1", "-1"),
}


@dataclass(frozen=True)
class Distribution:
    """Where the values of a parameter come from; its numbers are texts, so that none is rounded.

    `kind` is "float", "int" or "choice". Numbers lie between `low` and `high`, both
    included. With `step`, they are `low`, `low + step` and so on. With `is_log`, equal
    factors are equally likely.
    """

    kind: str
    low: str = ""
    high: str = ""
    step: str = ""
    is_log: bool = False
    choices: tuple[str, ...] = ()

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Distribution":
        """Return the distribution whose fields JSON data has."""
        fields = dict(data)
        fields["choices"] = tuple(data.get("choices", ()))
        return cls(**fields)

    def to_data(self) -> dict[str, Any]:
        """Return the fields as JSON data, without empty ones."""
        filled = {name: value for name, value in vars(self).items() if value}
        return {"kind": self.kind, **filled}

    @property
    def count(self) -> int | None:
        """The number of values; None if there is no limit to it."""
        if self.kind == CHOICE:
            return len(self.choices)
        if not self.step:
            return None
        return int(self._span / _decimal(self.step)) + 1

    @property
    def samples(self) -> tuple[str, ...]:
        """Texts that together have all forms of its values."""
        if self.choices:
            return self.choices
        texts = _SAMPLES[self.kind]
        if float(self.low) < 0:
            return texts
        return tuple(text for text in texts if not text.startswith("-"))

    def value(self, share: float) -> str:
        """Return the value below which the `share` of all values lies, from 0 up to 1."""
        if self.is_log:
            return self.text(self._log_value(share))
        count = self.count
        if count is None:
            low, high = float(self.low), float(self.high)
            return self.text(low + share * (high - low))
        index = min(int(share * count), count - 1)
        if self.kind == CHOICE:
            return self.choices[index]
        return self._stepped(index)

    def text(self, number: float) -> str:
        """Return a number as the text of the value that is nearest to it.

        Raises:
            ValueError: it is not finite.
        """
        if not math.isfinite(number):
            raise ValueError(f"{number} is not a value of a distribution")
        low, high = _decimal(self.low), _decimal(self.high)
        exact = min(max(_decimal(repr(number)), low), high)
        if self.step:
            return self._stepped(round((exact - low) / _decimal(self.step)))
        rounded = min(max(exact.quantize(self._quantum(exact)), low), high)
        return repr(float(rounded))

    @property
    def _span(self) -> "Decimal":
        return _decimal(self.high) - _decimal(self.low)

    def _log_value(self, share: float) -> float:
        margin = _MARGINS[self.kind]
        low = math.log(float(self.low) - margin)
        high = math.log(float(self.high) + margin)
        return math.exp(low + share * (high - low))

    def _stepped(self, index: int) -> str:
        value = _decimal(self.low) + index * _decimal(self.step)
        if self.kind == INT:
            return str(int(value))
        return repr(float(value))

    def _quantum(self, value: "Decimal") -> "Decimal":
        """Return the difference between neighbouring values."""
        scale = self._span
        if self.is_log:
            scale = min(scale, value)
        return _decimal((0, (1,), scale.adjusted() - _DIGITS + 1))


def _decimal(value: Any) -> "Decimal":
    # Most plans have no distribution, and loading `decimal` takes 1 ms.
    from decimal import Decimal  # noqa: PLC0415

    return Decimal(value)


Values = tuple[str, ...] | Distribution
"""All values of a parameter, as the user wrote them, or the distribution of its values."""

Parameters = Mapping[str, Values]


def space_from_data(data: Mapping[str, Mapping[str, Any]]) -> dict[str, Distribution]:
    """Return distributions by name from the JSON data of their fields."""
    return {name: Distribution.from_data(fields) for name, fields in data.items()}


def space_to_data(space: Mapping[str, Distribution]) -> dict[str, dict[str, Any]]:
    """Return the data that `space_from_data` reads."""
    return {name: distribution.to_data() for name, distribution in space.items()}


def distribution(values: Values) -> Distribution:
    """Return a distribution; a list of values is one of equally likely choices."""
    if isinstance(values, Distribution):
        return values
    # The same value may be in a list more than once.
    return Distribution(CHOICE, choices=tuple(dict.fromkeys(values)))


def samples(values: Values) -> tuple[str, ...]:
    """Return texts that together have all forms of the values."""
    if isinstance(values, Distribution):
        return values.samples
    return values


def combinations(parameters: Parameters) -> int | None:
    """Return how many assignments there are; None if there is no limit to it."""
    counts = [distribution(values).count for values in parameters.values()]
    if None in counts:
        return None
    return prod(filter(None, counts))
