"""Code of runs as a volume that can only be read: the first name of a path is the id of a run."""

import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from riseml.errors import InvalidInputError, NotFoundError
from riseml.project.revision_tree import RevisionTree, TreeEntry
from riseml.storage.volume import WHOLE_FILE, Entry, Piece, digest_of

READ_ONLY_ADVICE = "Change the files of the project, and run `riseml train` again."
# The kernel follows no longer chain of links.
_MAX_LINKS = 40


class RunCode(NamedTuple):
    """The code of one run, and when it started (Unix seconds): files have that time."""

    tree: RevisionTree
    created: float


OpenRun = Callable[[str], RunCode]
"""Returns the code of the run that an id belongs to."""


class CodeVolume:
    """The code of runs, each below its id."""

    def __init__(self, open_run: OpenRun) -> None:
        self._open_run = cache(open_run)

    def resolve(self, path: str) -> Entry | None:
        """Return the file or folder at a path, None where there is none; links are followed."""
        name, code, inner_path = self._locate(path)
        entry = _followed(code.tree, inner_path)
        return None if entry is None else _entry(name, code, entry, path)

    def stat(self, paths: Sequence[str]) -> list[Entry | None]:
        """Return the files or folders at these paths, None where there is none."""
        return list(map(self.resolve, paths))

    def inside(self, folder: str) -> list[Entry]:
        """Return the files and folders directly in a folder, and its links."""
        name, code, _ = self._locate(folder)
        top = self._existing(folder)
        return [_entry(name, code, entry) for entry in code.tree.inside(top.path)]

    def walk(self, folder: str) -> list[Entry]:
        """Return all files below a folder, without links."""
        name, code, _ = self._locate(folder)
        entries = []
        for path, entry in self._below(folder):
            if stat.S_ISREG(entry.mode):
                entries.append(_entry(name, code, entry, f"{folder}/{path}"))
        return entries

    def links(self, folder: str) -> Iterator[tuple[str, str]]:
        """Yield the links below a folder: the path from there, and what they point to."""
        _, code, _ = self._locate(folder)
        for path, entry in self._below(folder):
            if stat.S_ISLNK(entry.mode):
                yield path, code.tree.target(entry)

    def empty_folders(self, folder: str) -> Iterator[str]:
        """Yield the folders below a folder that hold nothing, as paths from there."""
        _, code, _ = self._locate(folder)
        for path, entry in self._below(folder):
            if stat.S_ISDIR(entry.mode) and not code.tree.inside(entry.path):
                yield path

    def _below(self, folder: str) -> Iterator[tuple[str, TreeEntry]]:
        """Yield the entries below a folder with their paths from there."""
        _, code, _ = self._locate(folder)
        top = self._existing(folder)
        for entry in sorted(code.tree.below(top.path)):
            yield entry.path[len(top.path) :].lstrip("/"), entry

    def digests(self, beginnings: Sequence[tuple[str, int]]) -> list[str]:
        """Return the SHA-256 of the first bytes of files, empty where there is no such file."""
        existing = []
        for path, size in beginnings:
            entry = self.resolve(path)
            if entry is not None and not entry.is_folder:
                length = {WHOLE_FILE: entry.size}.get(size, size)
                existing.append(Piece(path, 0, length))
        digests = {}
        for piece, content in zip(existing, self._contents(existing), strict=True):
            digests[piece.path] = digest_of(content)
        return [digests.get(path, "") for path, _ in beginnings]

    def read(self, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield the bytes of the pieces, one after the other."""
        for content in self._contents(pieces):
            yield from content

    def _contents(self, pieces: Sequence[Piece]) -> Iterator[Iterator[bytes]]:
        """Yield the bytes of each piece, which must be read in this order."""
        for name, pieces_of_run in groupby(pieces, _id_of):
            group = list(pieces_of_run)
            entries = map(self._existing, map(attrgetter("path"), group))
            contents = self._open_run(name).tree.content(entries)
            for piece, content in zip(group, contents, strict=True):
                yield _range(content, piece.start, piece.size)

    def _existing(self, path: str) -> TreeEntry:
        """Return the entry at a path; links are followed.

        Raises:
            NotFoundError: there is none.
        """
        _, code, inner_path = self._locate(path)
        entry = _followed(code.tree, inner_path)
        if entry is None:
            raise NotFoundError(f"{path} does not exist")
        return entry

    def _locate(self, path: str) -> tuple[str, RunCode, str]:
        """Return the id at the start of a path, the code of that run, and the rest."""
        name, _, inner_path = path.partition("/")
        return name, self._open_run(name), inner_path.rstrip("/")


def read_only() -> InvalidInputError:
    """Return the error about a change of the code of a run."""
    return InvalidInputError(
        "code:// can only be read: it is the code that runs were started with",
        READ_ONLY_ADVICE,
    )


def _id_of(piece: Piece) -> str:
    return piece.path.partition("/")[0]


def _entry(name: str, code: RunCode, entry: TreeEntry, path: str = "") -> Entry:
    path = path or f"{name}/{entry.path}"
    return Entry(path, entry.size, code.created, entry.mode)


def _followed(tree: RevisionTree, path: str) -> TreeEntry | None:
    """Return the entry at a path; links are followed as long as they stay in the project."""
    for _ in range(_MAX_LINKS):
        link = _first_link(tree, path)
        if link is None:
            return tree.entries.get(path)
        target = tree.target(link)
        folder = link.path.rpartition("/")[0]
        rest = path[len(link.path) :]
        joined = posixpath.join(folder, target)
        # The project's folder itself has the empty path.
        path = posixpath.normpath(joined + rest)
        path = "" if path == "." else path
    return None


def _first_link(tree: RevisionTree, path: str) -> TreeEntry | None:
    """Return the first link on the way to a path."""
    position = 0
    while position != -1:
        position = path.find("/", position + 1)
        entry = tree.entries.get(path if position == -1 else path[:position])
        if entry is not None and stat.S_ISLNK(entry.mode):
            return entry
    return None


def _range(content: Iterator[bytes], start: int, size: int) -> Iterator[bytes]:
    """Yield `size` bytes of a content from the position `start`; its rest is not read."""
    remaining = size
    for data in content:
        if start >= len(data):
            start -= len(data)
            continue
        piece = data[start : start + remaining]
        start = 0
        remaining -= len(piece)
        yield piece
        if not remaining:
            return
