"""Locations of files: `data://…`, `output://…` and `code://…` in volumes, anything else on this machine."""

import re
from collections.abc import Callable
from typing import NamedTuple

from riseml.errors import InvalidInputError
from riseml.excerpts import LONGEST, excerpt

CODE = "code"
"""Volume of the code of all runs, which can only be read; its paths begin with an id."""

VOLUMES = ("data", "output", CODE)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


class Location(NamedTuple):
    """A path in a volume: `data`, `output`, `code`, or the empty name for this machine.

    The empty path is the entire volume. `is_folder` says that it was written with a slash
    at its end.
    """

    volume: str
    path: str
    is_folder: bool = False

    def __str__(self) -> str:
        return f"{self.volume}://{self.path}" if self.volume else self.path


def parse(text: str, project: Callable[[], str]) -> Location:
    """Return the location that a user wrote.

    `project` returns what `output://~` stands for: `<user>/<project>`.

    Raises:
        InvalidInputError: there is no such volume, or the path leaves its volume.
    """
    match = _SCHEME.fullmatch(text)
    if match is None:
        return Location("", text, text.endswith("/"))
    volume, path = match.groups()
    if volume not in VOLUMES:
        raise InvalidInputError(
            f"cannot handle data uri {excerpt(text)}",
            "There are data://, output:// and code://; a path without one is on this machine.",
        )
    # The path becomes a shell argument and a dictionary key, so it has one spelling.
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise InvalidInputError(
            f"{excerpt(text, LONGEST)} leads out of its volume",
            "Write the path without `..`.",
        )
    if volume == "output" and names[:1] == ["~"]:
        names[0] = project()
    return Location(volume, "/".join(names), path.endswith("/"))
