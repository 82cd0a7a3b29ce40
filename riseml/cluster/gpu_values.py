"""The section `gpu` of an installation's values: how the cluster shares GPUs, and which types it has.

fractions: {0.25: {nvidia.com/mig-1g.10gb: 1}}   ──▶   {"4": {"nvidia.com/mig-1g.10gb": "1"}}
types: {a100: [NVIDIA-A100-SXM4-40GB]}           ──▶   the same
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from riseml.schema.gpus import parts_of

ANY = "any"
_RESOURCE = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9._-]+")
_AMOUNT = re.compile(r"[1-9][0-9]*|\{percent\}")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_FRACTION = re.compile(r"1/([0-9]{1,3})|(0?\.[0-9]+)")


def faults(section: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the section."""
    for key, amounts in section["fractions"].items():
        name = f"gpu.fractions.{key}"
        if not _key(key):
            yield f"'{name}' must be a part of a GPU such as 0.25 or 1/4, or 'any'"
        if not isinstance(amounts, Mapping) or not amounts:
            yield f"'{name}' must be a mapping of resources to amounts, such as {{nvidia.com/gpu.shared: 1}}"
            continue
        for resource, amount in amounts.items():
            yield from _amount_faults(name, str(resource), str(amount))
    for key, products in section["types"].items():
        if not _are_labels(products):
            yield f"'gpu.types.{key}' must be a list of values of the label nvidia.com/gpu.product"


def fractions(section: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the amounts of each part of a GPU, by the number of parts."""
    by_parts = {}
    for key, amounts in section["fractions"].items():
        by_parts[_key(key)] = {name: str(amount) for name, amount in amounts.items()}
    return by_parts


def types(section: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the products of each type."""
    by_type = {}
    for key, products in section["types"].items():
        by_type[str(key)] = list(map(str, products))
    return by_type


def _key(key: object) -> str:
    """Return the number of parts that a key means, `any`, or "" if it means nothing."""
    if key == ANY:
        return ANY
    match = _FRACTION.fullmatch(str(key))
    if match is None:
        return ""
    parts = int(match[1]) if match[1] else parts_of(Decimal(match[2]))
    return str(parts) if parts > 1 else ""


def _amount_faults(name: str, resource: str, amount: str) -> Iterator[str]:
    if not _RESOURCE.fullmatch(resource):
        yield f"'{name}.{resource}' must be an extended resource, such as nvidia.com/gpu.shared"
    if not _AMOUNT.fullmatch(amount):
        yield f"'{name}.{resource}' must be a whole number of at least 1 or '{{percent}}', not {amount!r}"


def _are_labels(products: object) -> bool:
    if not isinstance(products, list) or not products:
        return False
    return all(_LABEL.fullmatch(str(product)) for product in products)
