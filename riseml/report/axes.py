"""Values of one parameter or metric as positions on an axis, with texts for some positions.

numbers                        their own positions, or their logarithms if they span decades
texts, booleans, mixed values  1, 2, 3, … in order
no value, NaN, infinities      a position of their own, which is called MISSING
"""

import json
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from riseml.dataclass import dataclass

MISSING = "\u2013"
"""What a value is called that does not exist, or is no finite number."""

# A logarithmic axis is easier to read for values of which the largest is so many times the least.
_DECADES = 50.0
_MAX_TICKS = 8
_EVEN_TICKS = 5
# The part of an axis below its values on which missing ones are.
_MARGIN = 0.12


@dataclass(frozen=True)
class Axis:
    """Positions of values, in their order, and texts at some positions.

    `numbers` are the finite values of a numeric axis, None where there is none; a
    categorical axis has none. `missing` is the position of missing values, None if
    none is missing.
    """

    name: str
    positions: tuple[float, ...]
    ticks: tuple[tuple[float, str], ...]
    is_numeric: bool
    is_logarithmic: bool = False
    missing: float | None = None
    numbers: tuple[float | None, ...] = ()

    @property
    def varies(self) -> bool:
        """Whether there are two different values."""
        return len(set(self.positions)) > 1


def axis(name: str, values: Sequence[Any]) -> Axis:
    """Return the axis of values: texts of parameters, or reported values of any type."""
    numbers = list(map(number, values))
    present = [value for value in values if text(value) != MISSING]
    is_numeric = bool(present) and all(map(_is_number, present))
    if is_numeric:
        return _numeric(name, numbers)
    return _categorical(name, values)


def number(value: Any) -> float | None:
    """Return a value as a finite number; None if it is none, also for booleans."""
    if isinstance(value, bool):
        return None
    with suppress(TypeError, ValueError, OverflowError):
        result = float(value)
        if math.isfinite(result):
            return result
    return None


def finite_of(numbers: Iterable[float | None]) -> list[float]:
    """Return the values that exist."""
    return [value for value in numbers if value is not None]


def text(value: Any) -> str:
    """Return what a value is called on an axis and in tables."""
    if value in (None, "NaN", "Infinity", "-Infinity"):
        return MISSING
    if isinstance(value, float) and not math.isfinite(value):
        return MISSING
    return value if isinstance(value, str) else json.dumps(value)


def short(value: float) -> str:
    """Return a number as ticks show it."""
    return f"{value:.4g}"


def _is_number(value: Any) -> bool:
    return number(value) is not None


def _numeric(name: str, numbers: Sequence[float | None]) -> Axis:
    finite = finite_of(numbers)
    low, high = min(finite), max(finite)
    is_logarithmic = low > 0 and high / low >= _DECADES
    transform = math.log10 if is_logarithmic else float
    least, greatest = transform(low), transform(high)
    missing = least - _MARGIN * ((greatest - least) or 1.0)
    positions = []
    for value in numbers:
        positions.append(missing if value is None else transform(value))
    if len(set(finite)) > _MAX_TICKS:
        ticks = _even_ticks(least, greatest, is_logarithmic=is_logarithmic)
    else:
        ticks = [(transform(value), short(value)) for value in sorted(set(finite))]
    has_missing = len(finite) < len(numbers)
    if has_missing:
        ticks.insert(0, (missing, MISSING))
    return Axis(
        name,
        tuple(positions),
        tuple(ticks),
        is_numeric=True,
        is_logarithmic=is_logarithmic,
        missing=missing if has_missing else None,
        numbers=tuple(numbers),
    )


def _even_ticks(
    least: float, greatest: float, *, is_logarithmic: bool
) -> list[tuple[float, str]]:
    ticks = []
    for index in range(_EVEN_TICKS):
        position = least + (greatest - least) * index / (_EVEN_TICKS - 1)
        value = 10**position if is_logarithmic else position
        ticks.append((position, short(value)))
    return ticks


def _categorical(name: str, values: Sequence[Any]) -> Axis:
    texts = list(map(text, values))
    categories = dict.fromkeys(sorted(set(texts), key=_category_order))
    places = {category: float(index) for index, category in enumerate(categories)}
    return Axis(
        name,
        tuple(places[word] for word in texts),
        tuple((position, category) for category, position in places.items()),
        is_numeric=False,
        missing=places.get(MISSING),
    )


def _category_order(category: str) -> tuple[bool, bool, float, str]:
    """Return a sort key: missing values first, then numbers, then texts."""
    value = number(category)
    return (category != MISSING, value is None, value or 0.0, category)
