"""File for an API key, readable for its owner only."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

from riseml.cli.parameters import Option
from riseml.errors import InvalidInputError

KeyFile = Annotated[
    str | None,
    Option(
        "--output",
        metavar="FILE",
        help="Write the key to this file (mode 0600) instead of printing it.",
    ),
]


def check(file: str | None) -> None:
    """Check that a key can be written to a file, if any, before anything is changed for it.

    Raises:
        InvalidInputError: the folder does not exist, or may not be written.
    """
    if not file:
        return
    path = Path(file).expanduser()
    if path.is_dir():
        raise InvalidInputError(f"{file} is a folder", "Name a file for the key.")
    if not path.parent.is_dir():
        raise InvalidInputError(
            f"the folder {path.parent} does not exist", "Create it, or name another."
        )
    if not os.access(path.parent, os.W_OK):
        raise InvalidInputError(
            f"the folder {path.parent} may not be written", "Name another one."
        )


def write(file: str, key: str) -> None:
    """Write a key, in place of what the file had.

    Raises:
        InvalidInputError: the file cannot be written.
    """
    path = Path(file).expanduser()
    try:
        # A file that exists may be open for others: a new one, with 0600, replaces it.
        descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(f"{key}\n")
        Path(partial).replace(path)
    except OSError as error:
        raise InvalidInputError(
            f"{file} cannot be written: {error.strerror}",
            "`riseml user display NAME` prints the key.",
        ) from error
