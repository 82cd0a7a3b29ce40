"""Conditions of objects of Kubernetes: what the status of an object says about it."""

from collections.abc import Mapping
from typing import Any


def condition(body: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the condition of a kind, empty if an object has none."""
    entries = body.get("status", {}).get("conditions", ())
    by_kind: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        by_kind[entry.get("type", "")] = entry
    return by_kind.get(kind, {})


def is_true(body: Mapping[str, Any], kind: str) -> bool:
    """Return whether an object has a condition of a kind, and it is true."""
    return bool(condition(body, kind).get("status") == "True")
