"""`data://…` and `output://…`: which volume, and where in it; anything else is a path of this machine."""

import re
from collections.abc import Callable
from typing import NamedTuple

from riseml.errors import InvalidInputError

VOLUMES = ("data", "output")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


class Location(NamedTuple):
    """A path in a volume (`data`, `output`, or empty for this machine); the empty path is all of the volume.

    `is_folder`: it was written with a slash at its end.
    """

    volume: str
    path: str
    is_folder: bool = False

    def __str__(self) -> str:
        return f"{self.volume}://{self.path}" if self.volume else self.path


def parse(text: str, project: Callable[[], str]) -> Location:
    """Return the place that a user names; `project` tells what `output://~` stands for, `<user>/<project>`.

    Raises:
        InvalidInputError: no volume is called so, or the path leaves its volume.
    """
    found = _SCHEME.fullmatch(text)
    if found is None:
        return Location("", text, text.endswith("/"))
    volume, path = found.groups()
    if volume not in VOLUMES:
        known = " and ".join(f"{each}://" for each in VOLUMES)
        raise InvalidInputError(
            f"cannot handle data uri {text}",
            f"There are {known}; a path without is one of yours.",
        )
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidInputError(
            f"{text} leads out of its volume", "Write the path without `..`."
        )
    if volume == "output" and parts[:1] == ["~"]:
        parts[:1] = [project()]
    return Location(volume, "/".join(parts), path.endswith("/"))
