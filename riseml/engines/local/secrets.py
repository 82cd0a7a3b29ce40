"""The secrets of a home: a file of mode 0600 that maps names of environment variables to values.

Jobs that name a secret under `secrets` get it as a variable; nothing else ever shows a value.
"""

import json
import os
from pathlib import Path

from riseml.errors import HomeError

_FILE, _PAST = "secrets", "secrets.past"


def read(home: Path) -> dict[str, str]:
    """Return all secrets of a home.

    Raises:
        HomeError: the file cannot be read, or is damaged.
    """
    return _read(home / _FILE)


def _read(path: Path) -> dict[str, str]:
    try:
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        advice = (
            "Move the file away and set its secrets again: `riseml secret set NAME`."
        )
        raise HomeError(f"{path} cannot be read: {error}", advice) from error
    return kept


def hidden(home: Path) -> list[str]:
    """Return the values that no log may show, those of the past too, longest first: one may be part of another.

    Raises:
        HomeError: a file cannot be read, or is damaged.
    """
    return sorted(
        {*_read(home / _PAST), *read(home).values()} - {""}, key=len, reverse=True
    )


def change(home: Path, name: str, value: str | None) -> bool:
    """Set a secret, or forget it where `value` is None; return whether it was there before.

    Raises:
        HomeError: the file cannot be read or written.
    """
    kept = read(home)
    before = kept.pop(name, None)
    if value is not None:
        kept[name] = value
    # A log of the past may show it
    if before is not None:
        _write(home / _PAST, {**_read(home / _PAST), before: name})
    _write(home / _FILE, kept)
    return before is not None


def _write(path: Path, values: dict[str, str]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            "w",
            encoding="utf-8",
        ) as file:
            json.dump(values, file)
        part.replace(path)
    except OSError as error:
        advice = "Make it writable for you, or choose another home with RISEML_HOME."
        raise HomeError(
            f"{path} cannot be written: {error.strerror}", advice
        ) from error
