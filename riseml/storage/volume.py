"""Interface of volumes: each method takes many files at once, since a request may travel far."""

import hashlib
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

PARTIAL = ".{name}.riseml-part"
"""Name of a file that is still being written, in the folder of the file `name`."""

HIDDEN = ".riseml"
"""Folder of an experiment's output in which RiseML keeps logs and results."""

WHOLE_FILE = -1
"""Length that stands for all bytes of a file."""


class Entry(NamedTuple):
    """A file or folder: path in the volume, size in bytes, time of change (Unix seconds), mode."""

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
        """The last name of its path."""
        return self.path.rpartition("/")[2]


class Piece(NamedTuple):
    """A range of a file: `size` bytes from the position `start`."""

    path: str
    start: int
    size: int


class Written(NamedTuple):
    """A file of which all bytes were written, and the SHA-256 that they must have."""

    path: str
    digest: str
    modified: float
    mode: int


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder; the empty folder is the volume itself."""
    if not folder or folder.endswith("/"):
        return f"{folder}{name}"
    return f"{folder}/{name}"


def digest_of(content: Iterable[bytes]) -> str:
    """Return the SHA-256 of a content in pieces, which is read."""
    digest = hashlib.sha256()
    for data in content:
        digest.update(data)
    return digest.hexdigest()


def partial_path(path: str) -> str:
    """Return the path of a file while it is being written."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{PARTIAL.format(name=name)}"


class ReadableVolume(Protocol):
    """A set of files. Methods that take several paths answer in their order."""

    def resolve(self, path: str) -> Entry | None:
        """Return the file or folder that a user names, None where there is none.

        It follows links.

        Raises:
            InvalidInputError: a link leads out of the volume.
        """

    def stat(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return the files or folders at these paths, None where there is none."""

    def inside(self, folder: str) -> list[Entry]:
        """Return the files and folders directly in a folder."""

    def walk(self, folder: str) -> list[Entry]:
        """Return all files below a folder, without links."""

    def digests(self, beginnings: Sequence[tuple[str, int]]) -> list[str]:
        """Return the SHA-256 of the first bytes of files, empty where there is no such file.

        Each pair is a path and a number of bytes; `WHOLE_FILE` means all of them.
        """

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield the bytes of the pieces, one after the other.

        A piece of a file that has become shorter is filled with any bytes.
        """


class Volume(ReadableVolume, Protocol):
    """A set of files that can be changed."""

    def write(self, entries: Sequence[Entry], data: Iterator[bytes]) -> None:
        """Write new partial files for the final paths of `entries`; create their folders.

        `data` holds their bytes, one file after the other.
        """

    def append(self, path: str, size: int, data: Iterator[bytes]) -> None:
        """Append `size` bytes to the partial file of a final path."""

    def finish(self, files: Sequence[Written]) -> list[bool]:
        """Rename each partial file with the right digest to its final name.

        A partial file with another digest is deleted, and its answer is False.
        """

    def remove(self, path: str) -> None:
        """Delete a file, or a folder recursively."""
