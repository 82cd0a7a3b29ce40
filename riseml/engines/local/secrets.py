"""Secrets of a home: a file of mode 0600 that maps names of environment variables to values.

Jobs that name a secret under `secrets` get it as a variable; nothing else shows a value.
Logs hide earlier values, too, so a second file keeps those.
"""

import json
import os
from pathlib import Path

from riseml import disk, home_folder
from riseml.errors import HomeError

_CURRENT, _PAST = "secrets", "secrets.past"


def read(home: Path) -> dict[str, str]:
    """Return all secrets of a home: values by name.

    Raises:
        HomeError: the file cannot be read, or is damaged.
    """
    return _read(home / _CURRENT)


def hidden(home: Path) -> list[str]:
    """Return the values that no log may show, past ones included.

    The longest comes first, because one value may contain another.

    Raises:
        HomeError: a file cannot be read, or is damaged.
    """
    # The file of past secrets maps values to names.
    values = {*_read(home / _PAST), *read(home).values()} - {""}
    return sorted(values, key=len, reverse=True)


def masked(home: Path, text: str) -> str:
    """Return a text without secrets, past ones included.

    Raises:
        HomeError: a file cannot be read, or is damaged.
    """
    # Few commands show what jobs have written.
    from riseml.masking import Masker, forms  # noqa: PLC0415

    masker = Masker(forms(map(os.fsencode, hidden(home))))
    return os.fsdecode(masker.feed(os.fsencode(text)) + masker.flush())


def change(home: Path, name: str, value: str | None) -> bool:
    """Set a secret, or remove it if `value` is None; return whether it existed.

    Raises:
        HomeError: the file cannot be read or written.
    """
    secrets = read(home)
    previous = secrets.pop(name, None)
    if value is not None:
        secrets[name] = value
    if previous is not None:
        # An existing log may show it.
        _write(home / _PAST, {**_read(home / _PAST), previous: name})
    _write(home / _CURRENT, secrets)
    return previous is not None


def _read(path: Path) -> dict[str, str]:
    try:
        secrets = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    # Values that are not text could not be hidden in logs.
    if not isinstance(secrets, dict) or not set(map(type, secrets.values())) <= {str}:
        raise _unreadable(path, "it does not map names to texts")
    return secrets


def _unreadable(path: Path, reason: object) -> HomeError:
    return HomeError(
        f"{path} cannot be read: {reason}",
        "Move the file away and set its secrets again: `riseml secret set NAME`.",
    )


def _write(path: Path, values: dict[str, str]) -> None:
    try:
        home_folder.prepare(path.parent)
        home_folder.replace_file(path, json.dumps(values))
    except OSError as error:
        if disk.means_full(error):
            raise disk.full(path, f"{path} cannot be written") from error
        raise HomeError(
            f"{path} cannot be written: {error.strerror}",
            "Make it writable for you, or choose another home with RISEML_HOME.",
        ) from error
