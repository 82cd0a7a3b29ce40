"""Series: what is kept of the values of one name, however many there are."""

import math
from dataclasses import dataclass
from typing import Any, Self

Point = tuple[float, float | None]
"""A value and its step, None where the source has no steps."""


_NONE_YET = math.nan, None


@dataclass(slots=True)
class Series:
    """The least, the greatest and the last value of a name so far.

    NaN and infinities count only as the last value: they are never the best. The least
    and the greatest value are infinite as long as no value was finite.
    """

    least: Point = (math.inf, None)
    greatest: Point = (-math.inf, None)
    last: Point = _NONE_YET

    def add(
        self, value: float, step: float | None = None, *, is_final: bool = True
    ) -> None:
        """Add the next value; one that is not final was overwritten and is never the best."""
        point = (value, step)
        self.last = point
        if is_final and math.isfinite(value):
            self.least = min(self.least, point, key=_value)
            self.greatest = max(self.greatest, point, key=_value)

    def extend(self, later: Self) -> None:
        """Add all values of a series that continues this one."""
        for point in (later.least, later.greatest):
            self.add(*point)
        self.last = later.last

    def best(self, mode: str) -> Point | None:
        """Return the best value by a mode, "min" or "max"; None if none was finite."""
        best = {"min": self.least, "max": self.greatest}[mode]
        if math.isinf(best[0]):
            return None
        return best

    def to_data(self) -> list[Any]:
        """Return the series as JSON data."""
        return [self.least, self.greatest, self.last]

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """Return the series that `to_data` wrote.

        Raises:
            TypeError, ValueError: the data is something else.
        """
        least, greatest, last = map(_point, data)
        return cls(least, greatest, last)


def _value(point: Point) -> float:
    return point[0]


def _point(data: Any) -> Point:
    value, step = data
    return float(value), step
