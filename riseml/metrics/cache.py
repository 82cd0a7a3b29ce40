"""File in which an engine keeps how far it has read the files of a run."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import Any


def load(path: Path) -> dict[str, Any]:
    """Return what was saved, nothing if the file cannot be read."""
    try:
        data = json.loads(path.read_bytes())
        return dict(data)
    except (OSError, TypeError, ValueError):
        return {}


def save(path: Path, data: Mapping[str, Any]) -> None:
    """Replace the file; several commands may do so at once.

    A full disk, or the folder of another user, must not hide the values, so a file that
    cannot be written stays as it is.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}")
    with suppress(OSError):
        temporary.write_text(json.dumps(data), encoding="utf-8")
        temporary.replace(path)
