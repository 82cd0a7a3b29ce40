"""Amounts as Kubernetes writes them: `500m` cores, `512M` and `4Gi` bytes."""

import re
from contextlib import suppress
from decimal import Decimal

_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([A-Za-z]*)")


def bytes_of(text: str) -> int:
    """Read an amount of memory in bytes, rounded up.

    Raises:
        ValueError: not an amount.
    """
    number, unit = _split(text)
    if unit not in _UNITS:
        raise ValueError(text)
    return -int(-(number * _UNITS[unit]) // 1)


def cores_of(text: str) -> Decimal:
    """Read an amount of cores.

    Raises:
        ValueError: not an amount.
    """
    number, unit = _split(text)
    if unit not in ("", "m"):
        raise ValueError(text)
    return number / 1000 if unit else number


def amount_of(text: str) -> Decimal | None:
    """Read an amount of whatever a quota counts: cores, bytes, or a number of things; None where it is none."""
    for read in (cores_of, bytes_of):
        with suppress(ValueError, ArithmeticError):
            return Decimal(read(text))
    return None


def memory_text(amount: int) -> str:
    """Write bytes in the largest unit that keeps them exact: decimal ones first, as riseml.yml counts."""
    for unit in ("T", "G", "M", "Ti", "Gi", "Mi", "Ki"):
        if amount and amount % _UNITS[unit] == 0:
            return f"{amount // _UNITS[unit]}{unit}"
    return str(amount)


def cores_text(amount: Decimal) -> str:
    """Write cores: `2`, or thousandths where they are no whole number."""
    return (
        str(int(amount)) if amount == int(amount) else f"{-int(-(amount * 1000) // 1)}m"
    )


def _split(text: str) -> tuple[Decimal, str]:
    match = _AMOUNT.fullmatch(str(text).strip())
    if not match:
        raise ValueError(text)
    return Decimal(match[1]), match[2]
