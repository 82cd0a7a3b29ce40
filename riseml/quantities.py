"""Amounts as Kubernetes writes them: `500m` cores, `512M` and `4Gi` bytes."""

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from math import ceil

_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip
# How many of a unit make one core.
_PARTS_OF_CORES = {"": 1, "m": 1000}
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([A-Za-z]*)")


def bytes_of(text: str) -> int:
    """Return an amount of memory in bytes, rounded up.

    Raises:
        ValueError: the text is not an amount of memory.
    """
    number, unit = _split(text, _UNITS)
    return ceil(number * _UNITS[unit])


def cores_of(text: str) -> Decimal:
    """Return an amount of cores.

    Raises:
        ValueError: the text is not an amount of cores.
    """
    number, unit = _split(text, _PARTS_OF_CORES)
    return number / _PARTS_OF_CORES[unit]


def amount_of(text: str) -> Decimal | None:
    """Return an amount of anything that a quota limits: cores, bytes or objects; None if it is not one."""
    for read in (cores_of, bytes_of):
        with suppress(ValueError, ArithmeticError):
            return Decimal(read(text))
    return None


def gpus_of(text: str) -> int | Decimal:
    """Return a number of GPUs: an integer, or a Decimal for a part of one.

    Raises:
        ValueError: the text is not a number.
    """
    number = _split(text, ("",))[0]
    return int(number) if number == int(number) else number


def memory_text(amount: int) -> str:
    """Return bytes in the largest unit that keeps them exact; decimal units first, as in riseml.yml."""
    for unit in ("T", "G", "M", "Ti", "Gi", "Mi", "Ki"):
        count, remainder = divmod(amount, _UNITS[unit])
        if count and not remainder:
            return f"{count}{unit}"
    return str(amount)


def cores_text(amount: Decimal) -> str:
    """Return cores as text: `2`, or thousandths where the number is not whole."""
    if amount == int(amount):
        return str(int(amount))
    # Kubernetes rounds amounts up as well.
    return f"{ceil(amount * 1000)}m"


def number_text(amount: Decimal) -> str:
    """Return a number without zeros at its end: `2`, not `2.0`."""
    return f"{amount.normalize():f}"


def noun_of(resource: str, nouns: Mapping[str, str]) -> str:
    """Return the noun for a resource of Kubernetes, its own name if there is none."""
    # GPUs have their vendor's name: nvidia.com/gpu.
    other = "gpus" if "gpu" in resource else resource
    return nouns.get(resource, other)


def with_noun(amount: str, plural: str) -> str:
    """Return an amount with its noun, in the singular for one."""
    noun = plural.removesuffix("s") if amount == "1" else plural
    return f"{amount} {noun}"


def _split(text: str, units: Collection[str]) -> tuple[Decimal, str]:
    match = _AMOUNT.fullmatch(str(text).strip())
    if not match or match[2] not in units:
        raise ValueError(text)
    return Decimal(match[1]), match[2]
