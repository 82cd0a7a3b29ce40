"""What can be done with the files of a volume, many at once since each question may travel far."""

import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

PART = ".{name}.riseml-part"
"""What the file `name` is called, beside its place, until it is whole."""

HIDDEN = ".riseml"
"""The folder of an experiment's output in which RiseML keeps logs and results."""

WHOLE = -1
"""The length of a file's beginning that is all of it."""


class Entry(NamedTuple):
    """A file or folder: its path in the volume, size in bytes, time of change (unix seconds) and mode."""

    path: str
    size: int
    modified: float
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


class Piece(NamedTuple):
    """So many bytes of a file, from a position on."""

    path: str
    start: int
    size: int


class Written(NamedTuple):
    """A file whose part is complete: its final path, the SHA-256 it must have, and its time of change."""

    path: str
    digest: str
    modified: float
    mode: int


def below(folder: str, name: str) -> str:
    """Return the path of what is called `name` in a folder; the empty one is all of a volume, or where the user is."""
    return (
        f"{folder}{name}" if not folder or folder.endswith("/") else f"{folder}/{name}"
    )


def part_of(path: str) -> str:
    """Return what a file is called until it is whole."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{PART.format(name=name)}"


class Volume(Protocol):
    """All methods that take several paths answer in their order."""

    def resolve(self, path: str) -> Entry | None:
        """Return what is at a path that a user names, links followed, None where nothing is.

        Raises:
            InvalidInputError: a link leads out of the volume.
        """

    def stat(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return what is at these paths, None where nothing is."""

    def inside(self, folder: str) -> list[Entry]:
        """Return what lies directly in a folder."""

    def walk(self, folder: str) -> list[Entry]:
        """Return all files below a folder; links are none."""

    def digests(self, beginnings: Sequence[tuple[str, int]]) -> list[str]:
        """Return the SHA-256 of the first so many bytes of files, empty where there is no such file."""

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield the bytes of the pieces, one after the other; anything where a file has become shorter."""

    def write(self, entries: Sequence[Entry], data: Iterator[bytes]) -> None:
        """Write new parts for the final paths of `entries`, whose bytes come one after the other; folders are made."""

    def append(self, path: str, size: int, data: Iterator[bytes]) -> None:
        """Add so many bytes to the part of a final path."""

    def finish(self, files: Sequence[Written]) -> list[bool]:
        """Give parts that have their digest their final names; drop the others, False."""

    def remove(self, path: str) -> None:
        """Delete a file, or a folder with all that is in it."""
