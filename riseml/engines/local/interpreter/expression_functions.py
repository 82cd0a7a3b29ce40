"""Functions of the expr language that hooks and retryStrategies may call."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

# Python reads more than Go does: blanks and the digits of all scripts.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[!-~]+")
_MAX_INTEGER: Final = 2**63 - 1
# Outside of these limits, Go writes fractions with an exponent.
_MIN_PLAIN: Final = 1e-4
_MAX_PLAIN: Final = 1e6


def _to_integer(value: Any) -> float:
    _check(value, _INTEGER)
    number = int(value)
    if not -_MAX_INTEGER - 1 <= number <= _MAX_INTEGER:
        raise ValueError(f"{value!r} is too large")
    return number


def _to_float(value: Any) -> float:
    _check(value, _NUMBER)
    return float(value)


def _check(value: Any, pattern: re.Pattern[str]) -> None:
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    if isinstance(value, str) and not pattern.fullmatch(value):
        raise ValueError(f"{value!r} is not a number")


def _to_text(value: Any) -> str:
    return _TEXT_OF_TYPE.get(type(value), str)(value)


def _text_of_truth_value(value: bool) -> str:
    return str(value).lower()


def _text_of_fraction(value: float) -> str:
    if value == 0 or _MIN_PLAIN <= abs(value) < _MAX_PLAIN:
        return repr(value).removesuffix(".0")
    mantissa, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
    return f"{mantissa}e{int(exponent):+03d}"


_TEXT_OF_TYPE: Final[Mapping[type, Callable[[Any], str]]] = {
    bool: _text_of_truth_value,
    float: _text_of_fraction,
}

FUNCTIONS: Final[Mapping[str, tuple[Callable[[Any], Any], type]]] = {
    "asInt": (_to_integer, float),
    "int": (_to_integer, float),
    "asFloat": (_to_float, float),
    "float": (_to_float, float),
    "string": (_to_text, str),
}
"""The functions by name, and the types of their results; a number has the type float.

They raise TypeError or ValueError for what Argo's functions do not take.
"""
