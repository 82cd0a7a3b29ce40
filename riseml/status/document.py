"""Typed access to a document: a missing field, or one of another type, reads as empty."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from riseml import gpu_request
from riseml.plan import Resources

Node = Mapping[str, Any]

_EMPTY: Mapping[str, Any] = {}
# No machine has a larger quantity. Those would take long to multiply.
_QUANTITY_LIMIT = 10**30
_UNITS: dict[str, Decimal | int] = {
    "": 1, "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
_UNIT_LETTERS = "".join(_UNITS)


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, Mapping) else _EMPTY


def items(value: Any) -> list[Any]:
    """Return a list as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings of a list, none of anything else."""
    return [item for item in items(value) if isinstance(item, Mapping)]


def inner(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the mapping at the keys `path` of nested mappings."""
    for key in path:
        value = mapping(value).get(key)
    return mapping(value)


def text(value: Any) -> str:
    """Return text as it is, a number as text, anything else as empty text."""
    if isinstance(value, str):
        return value
    # True and False are instances of int.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(value)


def integer(value: Any) -> int | None:
    """Return an integer, or text that is one; None for anything else."""
    try:
        return int(text(value))
    except ValueError:
        return None


def time(value: Any) -> datetime | None:
    """Return an RFC 3339 time; a time without a zone is UTC."""
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def texts(value: Any) -> tuple[str, ...]:
    """Return the texts of a JSON list."""
    return tuple(map(text, items(json_value(value))))


def json_value(value: Any) -> Any:
    """Return the value of a JSON text, None where the text is not JSON."""
    if not value:
        return None
    # Lists of runs read many documents, and few of these hold JSON text.
    import json  # noqa: PLC0415

    try:
        return json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return None


def parameters(value: Any) -> dict[str, str]:
    """Return the parameters of `inputs` or `outputs`, values by name."""
    values = {}
    for parameter in mappings(mapping(value).get("parameters")):
        values[text(parameter.get("name"))] = text(parameter.get("value"))
    return values


def variables(container: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of a container, values by name; those from elsewhere are empty."""
    values = {}
    for entry in mappings(container.get("env")):
        values[text(entry.get("name"))] = text(entry.get("value"))
    return values


def named(value: Any) -> dict[str, Mapping[str, Any]]:
    """Return the mappings of a list by their `name`."""
    return {text(item.get("name")): item for item in mappings(value)}


def nodes(document: Mapping[str, Any]) -> Iterable[Node]:
    """Return all nodes of a document, decompressed if necessary.

    Argo's controller compresses the nodes of large Workflows, and only the Argo Server
    decompresses them for readers.
    """
    status = mapping(document.get("status"))
    by_id = mapping(status.get("nodes"))
    if not by_id:
        by_id = _decompressed(status.get("compressedNodes"))
    return mappings(list(by_id.values()))


def _decompressed(value: Any) -> Mapping[str, Any]:
    if not value:
        return _EMPTY
    # Only Workflows of many nodes are compressed.
    import base64  # noqa: PLC0415
    import gzip  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        data = gzip.decompress(base64.b64decode(value))
    except (TypeError, ValueError, OSError, EOFError, zlib.error):
        return _EMPTY
    return mapping(json_value(data.decode(errors="replace")))


def resources(template: Mapping[str, Any]) -> Resources:
    """Return the resources that a template's pods request, 0 for what it does not mention."""
    requested = _requested(mapping(template.get("container")))
    annotations = inner(template, "metadata", "annotations")
    # The document may be another program's.
    with suppress(ValueError):
        texts = {name: text(value) for name, value in annotations.items()}
        requested = gpu_request.completed(requested, texts)
    return requested


def _requested(container: Mapping[str, Any]) -> Resources:
    # Kubernetes takes a missing request from the limit.
    requests = {
        **inner(container, "resources", "limits"),
        **inner(container, "resources", "requests"),
    }
    gpus = 0
    for name, value in requests.items():
        if name.endswith("/gpu"):
            gpus += int(quantity(value))
    return Resources(
        cpus=quantity(requests.get("cpu")),
        mem=int(quantity(requests.get("memory"))),
        gpus=gpus,
    )


def quantity(value: Any) -> Decimal:
    """Return a Kubernetes quantity (`500m`, `4Gi`, `1e3`) as a number, 0 if it is not one."""
    quantity_text = text(value).strip()
    digits = quantity_text.rstrip(_UNIT_LETTERS)
    unit = quantity_text.removeprefix(digits)
    try:
        number = Decimal(digits) * _UNITS[unit]
        # The comparison raises for a NaN.
        is_sane = abs(number) < _QUANTITY_LIMIT
    except (KeyError, ArithmeticError):
        return Decimal(0)
    return number if is_sane else Decimal(0)
