"""Values of `range: {min, max, step}`, computed exactly and written as Python writes numbers."""

from decimal import Context, Decimal

# Numbers between 1e-300 and 1e300 keep all of their digits.
_EXACT = Context(prec=1000)
# A float represents every decimal number of so many digits.
_FLOAT_DIGITS = 15


def steps(first: Decimal, last: Decimal, step: Decimal) -> int:
    """Return the number of values of a range: `first`, `first + step`, … up to and including `last`."""
    return int(_EXACT.divide_int(_EXACT.subtract(last, first), step)) + 1


def spread(first: Decimal, last: Decimal, step: Decimal, form: str = "") -> list[str]:
    """Return the values of a range as texts.

    `form` is "" for whole numbers, "f" for plain decimal numbers (`0.1`, `3.0`) and "e" for
    numbers that Python writes with an exponent where they are small or large (`1e-05`).
    """
    # Multiplying avoids the errors that repeated addition would collect.
    values = (_EXACT.fma(step, n, first) for n in range(steps(first, last, step)))
    return [_text(value, form) for value in values]


def _text(value: Decimal, form: str) -> str:
    if not form:
        return str(int(value))
    digits = len(value.normalize(_EXACT).as_tuple().digits)
    if form == "e" and digits <= _FLOAT_DIGITS:
        return repr(float(value))
    integer, _, fraction = f"{value:f}".partition(".")
    return f"{integer}.{fraction.rstrip('0') or '0'}"
