"""Grid search: every combination of the parameters' values.

    lr: [0.1, 0.2], epochs: [3, 5]    ──▶    epochs 3 lr 0.1, epochs 3 lr 0.2, epochs 5 lr 0.1, epochs 5 lr 0.2

Names are taken in alphabetical order and the last one varies fastest. Values are texts, as the user wrote them.
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from itertools import product
from math import prod

# Experiments of one set
MOST = 100_000

_EXACT = Context(
    prec=1000
)  # digits; numbers between 1e-300 and 1e300 keep all of theirs
# That a float keeps for sure
_FLOAT_DIGITS = 15


def size(parameters: Mapping[str, Sequence[str]]) -> int:
    """Return the number of combinations; 1 without parameters."""
    return prod(map(len, parameters.values()))


def trials(parameters: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Return all combinations, each as name → value."""
    names = sorted(parameters)
    return [
        dict(zip(names, values, strict=True))
        for values in product(*(parameters[name] for name in names))
    ]


def steps(first: Decimal, last: Decimal, step: Decimal) -> int:
    """Return how many values a range has: `first`, `first + step`, … up to and including `last`."""
    return int(_EXACT.divide_int(_EXACT.subtract(last, first), step)) + 1


def spread(first: Decimal, last: Decimal, step: Decimal, form: str = "") -> list[str]:
    """Return the values of a range as texts.

    `form` is "" for whole numbers, "f" for plain decimal ones (`0.1`, `3.0`), "e" for those that Python writes with
    an exponent where they are small or large (`1e-05`).
    """
    values = (_EXACT.fma(step, n, first) for n in range(steps(first, last, step)))
    return [_text(value, form) for value in values]


def _text(value: Decimal, form: str) -> str:
    if not form:
        return str(int(value))
    if form == "e" and len(value.normalize(_EXACT).as_tuple().digits) <= _FLOAT_DIGITS:
        return repr(float(value))
    text = f"{value:f}"
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"
