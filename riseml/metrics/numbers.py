"""Numbers in text: `0.5`, `1e-4`, `1,234.5`, `nan`; and how a result writes those that JSON lacks."""

import re
from contextlib import suppress

NUMBER = (
    r"(?>[-+]?(?:[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?![\d,])"
    r"|(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?"
    # `0,5` may be a number with a comma, or two numbers.
    r"|\d+(?:[eE][-+]?\d+)?(?!,\d))(?![.:-]?\d)"
    r"|[-+]?(?i:nan|inf(?:inity)?)(?!\w))"
)
"""Pattern of a number, without a group. It does not match the start of a date, time or version."""

_NAMES: dict[str, float | str] = {
    "nan": "NaN",
    "inf": "Infinity",
    "-inf": "-Infinity",
}
_FIRST = re.compile(NUMBER)


def parse(text: str) -> float | None:
    """Return the first number in a text, None if there is none."""
    with suppress(ValueError):
        return float(text)
    match = _FIRST.search(text)
    if match is None:
        return None
    digits = match[0].replace(",", "")
    return float(digits)


def whole(step: float) -> float | str:
    """Return a step as JSON data, without a fraction if it has none."""
    if float(step).is_integer():
        return int(step)
    return plain(step)


def plain(value: float) -> float | str:
    """Return a value as a result has it: NaN and infinities by name."""
    return _NAMES.get(str(value), value)
