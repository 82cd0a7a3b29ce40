"""A document's parts as they should be: whatever is missing or of another kind reads as empty."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from riseml.plan import Resources

Node = Mapping[str, Any]

_EMPTY: Mapping[str, Any] = {}
# Digits of a quantity that a machine could have
_SANE = 30
_UNITS: dict[str, Decimal | int] = {
    "m": Decimal("0.001"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, anything else as an empty one."""
    return value if isinstance(value, Mapping) else _EMPTY


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings of a list."""
    return (
        [item for item in value if isinstance(item, Mapping)]
        if isinstance(value, list)
        else []
    )


def inner(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the mapping that lies at `path` in `value`."""
    for key in path:
        value = mapping(value).get(key)
    return mapping(value)


def text(value: Any) -> str:
    """Return text, or a number's text; anything else as empty."""
    if isinstance(value, str):
        return value
    return (
        str(value)
        if isinstance(value, int | float) and not isinstance(value, bool)
        else ""
    )


def whole(value: Any) -> int | None:
    """Return a whole number, also one written as text."""
    try:
        return int(text(value))
    except ValueError:
        return None


def moment(value: Any) -> datetime | None:
    """Return an RFC 3339 time; one without a zone counts as UTC."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def texts(value: Any) -> tuple[str, ...]:
    """Return the list of texts that `value` holds as JSON."""
    items = json_value(value)
    return tuple(map(text, items)) if isinstance(items, list) else ()


def json_value(value: Any) -> Any:
    """Return what a JSON text says, None where it is none."""
    if not isinstance(value, str) or not value:
        return None
    # Most documents that are listed hold no JSON text
    import json  # noqa: PLC0415

    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def parameters(value: Any) -> dict[str, str]:
    """Return the name and value of each parameter of `inputs` or `outputs`."""
    return {
        text(p.get("name")): text(p.get("value"))
        for p in mappings(mapping(value).get("parameters"))
    }


def named(value: Any) -> dict[str, Mapping[str, Any]]:
    """Return the mappings of a list by their `name`."""
    return {text(item.get("name")): item for item in mappings(value)}


def nodes(document: Mapping[str, Any]) -> Iterable[Node]:
    """Return all nodes, also those that the controller has compressed (big Workflows read past the Argo Server)."""
    status = mapping(document.get("status"))
    found = mapping(status.get("nodes")) or _decompressed(status.get("compressedNodes"))
    return [node for node in found.values() if isinstance(node, Mapping)]


def _decompressed(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, str) or not value:
        return _EMPTY
    import base64  # noqa: PLC0415
    import gzip  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        return mapping(
            json_value(
                gzip.decompress(base64.b64decode(value)).decode(errors="replace")
            )
        )
    except (ValueError, OSError, EOFError, zlib.error):
        return _EMPTY


def resources(container: Mapping[str, Any]) -> Resources:
    """Return what a container asks for; what it does not say is 0."""
    asked = {
        **inner(container, "resources", "limits"),
        **inner(container, "resources", "requests"),
    }
    gpus = sum(int(quantity(asked[key])) for key in asked if key.endswith("/gpu"))
    return Resources(
        cpus=quantity(asked.get("cpu")),
        mem=int(quantity(asked.get("memory"))),
        gpus=gpus,
    )


def quantity(value: Any) -> Decimal:
    """Return a Kubernetes quantity (`500m`, `4Gi`, `1e3`) as a number, 0 for what is none."""
    written = text(value).strip()
    unit = next((unit for unit in (written[-2:], written[-1:]) if unit in _UNITS), "")
    try:
        number = Decimal(written.removesuffix(unit)) * _UNITS.get(unit, 1)
    except ArithmeticError:
        return Decimal(0)
    return number if number.is_finite() and number.adjusted() < _SANE else Decimal(0)
