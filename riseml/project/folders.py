"""Folders of a project, and what a snapshot remembers of each for the next one.

    scandir ──▶ names ──lstat──▶ listing ──equal──▶ as it was: its files are not even decoded
       ▲                            └─────differs──▶ every entry is looked at
       └── not needed while the folder has the same times (`folder_times`)

Comparing and keeping listings instead of files saves half of the time of a snapshot of 10,000
files with one change.
"""

import marshal
import os
import stat
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from riseml.project import names
from riseml.project.folder_times import Times

Key = tuple[int, ...]
"""What lstat says of a file: mode, inode, device, links, owner, group, size, and the nanoseconds of both times."""

MODE, INODE, SIZE, MTIME, CTIME = 0, 1, 6, 7, 8

File = tuple[Key, bytes]
"""A file or link as it was read, and the blob that holds its content."""

State = tuple[int, ...]
"""What shows whether a file has changed: mode, inode, size, and the nanoseconds of both times."""

LARGE_BYTES = 1 << 20
"""Size of the smallest file that may be kept beside Git."""

# The system sets the status time with every change of the other fields of a key, and none
# of them but the mode changes what a snapshot holds.
_STATE = attrgetter("st_mode", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
# Later formats write equal values differently, depending on who else refers to them.
_FORMAT = 2
# A longer listing becomes a digest.
_MAX_LISTING_BYTES = 2_000


class Totals(NamedTuple):
    """What a folder's files, without those of its folders, add up to.

    `modes` counts the files of each mode, and `largest` is the size of the largest one.
    `has_suspects` tells whether the name of a file or folder may be one that Git refuses.
    """

    files: int
    size: int
    largest: int
    modes: dict[int, int]
    has_suspects: bool


class Names(NamedTuple):
    """The names in a folder: those of folders, with their inodes, and all others."""

    folders: list[bytes]
    inodes: list[int]
    others: list[bytes]

    def packed(self) -> bytes:
        """Return the names as bytes."""
        return marshal.dumps(tuple(self), _FORMAT)


class KnownFolder(NamedTuple):
    """A folder at the last snapshot.

    `times` and `names` are what it had, and the times are empty if they prove nothing.
    `listing` is that of a folder which is the same, empty if a listing does not tell.
    `files` are its packed files, `folders` the names of its folders, and `tree`
    is its Git tree, empty if it held nothing.
    """

    mode: int
    times: Times
    names: bytes
    listing: bytes
    files: bytes
    folders: list[bytes]
    tree: bytes
    totals: Totals

    def unpacked_names(self) -> Names:
        """Return the names."""
        return Names._make(marshal.loads(self.names))  # noqa: S302 - see `unpacked`

    def unpacked(self) -> dict[bytes, File]:
        """Return the files by their names."""
        # Only this module packs files, into a file of the user.
        files: dict[bytes, File] = marshal.loads(self.files)  # noqa: S302
        return files

    def with_files(self, files: dict[bytes, File]) -> "KnownFolder":
        """Return the folder with fewer files, so that the next walk looks at every file."""
        return self._replace(files=marshal.dumps(files), listing=b"")


UNKNOWN = KnownFolder(
    0, (), b"", b"", marshal.dumps({}), [], b"", Totals(0, 0, 0, {}, False)
)


class Folder:
    """A folder of the project.

    `path` is relative and ends with a slash. `previous` is the folder at the last snapshot.
    `tree` is the id of its Git tree once that is written.
    """

    __slots__ = (
        "_files",
        "_totals",
        "folders",
        "is_reused",
        "is_same",
        "listing",
        "mode",
        "names",
        "path",
        "previous",
        "times",
        "tree",
    )

    def __init__(self, path: bytes, mode: int, previous: KnownFolder) -> None:
        self.path, self.mode, self.previous = path, mode, previous
        self.folders: dict[bytes, Folder] = {}
        self.times: Times = ()
        self.names = b""
        self.listing = b""
        self.tree = b""
        self.is_reused = False
        self.is_same = False
        self._files: dict[bytes, File] | None = {}
        self._totals: Totals | None = None

    @property
    def files(self) -> dict[bytes, File]:
        """The files and links by their names."""
        if self._files is None:
            self._files = self.previous.unpacked()
        return self._files

    @property
    def totals(self) -> Totals:
        """What the files add up to, once all of them have been read."""
        if self._totals is None:
            self._totals = self._count()
        return self._totals

    def reuse(self, known: dict[bytes, KnownFolder]) -> None:
        """Take the files and folders of the last snapshot, whose listing is the same.

        `known` has the folders of that snapshot by their paths.
        """
        for name in self.previous.folders:
            path = self.path + name + b"/"
            previous = known[path]
            self.folders[name] = Folder(path, previous.mode, previous)
        self._files, self._totals = None, self.previous.totals
        self.is_reused = True
        self.is_same = self.mode == self.previous.mode

    def known(self) -> KnownFolder:
        """Return the folder as the next snapshot needs it."""
        packed = self.previous.files if self.is_reused else marshal.dumps(self.files)
        folders = list(self.folders)
        seen = (self.mode, self.times, self.names, self.listing)
        return KnownFolder(*seen, packed, folders, self.tree, self.totals)

    def is_known(self) -> bool:
        """Return whether `known` returns what it returned at the last snapshot."""
        # Equal listings mean equal names and files.
        if not self.is_reused or not self.is_same:
            return False
        previous = self.previous
        return self.tree == previous.tree and self.times == previous.times

    def _count(self) -> Totals:
        keys = [key for key, _ in self.files.values()]
        sizes = [key[SIZE] for key in keys]
        modes = Counter([key[MODE] for key in keys])
        prefixes = {name[:4] for name in (*self.files, *self.folders)}
        has_suspects = not names.SUSPECT.isdisjoint(prefixes)
        largest = max(sizes, default=0)
        return Totals(len(keys), sum(sizes), largest, dict(modes), has_suspects)


def is_large(key: Key) -> bool:
    """Return whether a file may be kept beside Git."""
    return stat.S_ISREG(key[MODE]) and key[SIZE] >= LARGE_BYTES


def names_of(entries: Sequence[os.DirEntry[bytes]]) -> Names:
    """Return the names of a folder's entries."""
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    names_of_folders = [entry.name for entry in folders]
    inodes = [entry.inode() for entry in folders]
    if not folders:
        return Names([], [], [entry.name for entry in entries])
    others = [
        entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)
    ]
    return Names(names_of_folders, inodes, others)


def states_of(entries: Sequence[os.DirEntry[bytes]]) -> list[State]:
    """Return what lstat says of a folder's entries, except of its folders.

    Raises:
        OSError: an entry has been deleted, or cannot be read.
    """
    files = [entry for entry in entries if not entry.is_dir(follow_symlinks=False)]
    return [_STATE(entry.stat(follow_symlinks=False)) for entry in files]


def states_at(path: bytes, others: Sequence[bytes]) -> list[State]:
    """Return the same for names of a folder that is not listed.

    Raises:
        OSError: an entry has been deleted, or cannot be read.
    """
    lstat = os.lstat
    return [_STATE(lstat(path + name)) for name in others]


def listing_of(rules: bytes, packed_names: bytes, states: list[State]) -> bytes:
    """Return names and states, or a digest of them if that is shorter; any change changes it.

    `rules` identifies what excludes entries.
    """
    content = marshal.dumps((rules, packed_names, states), _FORMAT)
    if len(content) <= _MAX_LISTING_BYTES:
        return content
    # It loads OpenSSL, which takes 2 ms, and projects with small folders need none.
    from hashlib import sha1  # noqa: PLC0415

    return sha1(content, usedforsecurity=False).digest()
