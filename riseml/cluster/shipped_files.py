"""Kubernetes manifests and values that RiseML ships: the folder `argo`."""

from pathlib import Path
from typing import Any

import yaml

_PACKAGE = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Return the folder `argo`."""
    # A wheel contains it; a checkout has it beside the package.
    inside = _PACKAGE / "argo"
    return inside if inside.is_dir() else _PACKAGE.parent / "argo"


def read(name: str) -> str:
    """Return the text of a file such as `values.yml`."""
    return (folder() / name).read_text("utf-8")


def documents(name: str) -> list[dict[str, Any]]:
    """Return the YAML documents of a file such as `user/claims.yaml`."""
    return list(yaml.safe_load_all(read(name)))
