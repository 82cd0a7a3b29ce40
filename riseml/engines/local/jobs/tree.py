"""Trees of files that a job left behind: any names, any modes, never through a link."""

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import NamedTuple

_OWNER = stat.S_IRWXU
_FILES = (stat.S_IFREG, stat.S_IFLNK)


class Entry(NamedTuple):
    """A file, folder or link; its path is relative to the tree."""

    path: bytes
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file or a symbolic link."""
        kind = stat.S_IFMT(self.status.st_mode)
        return kind in _FILES


class Tree:
    """The files below a folder.

    `errors` has the reason for each path that cannot be read, `skipped` the paths whose
    name a walk ignores.
    """

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.errors: dict[bytes, str] = {}
        self.skipped: list[bytes] = []
        self._modes: list[tuple[bytes, int]] = []

    def walk(self, ignored: Collection[bytes] = ()) -> Iterator[Entry]:
        """Yield all entries, a folder before what is in it; make closed folders open."""
        folders = [b""]
        while folders:
            folder = folders.pop()
            for entry in self._entries(folder):
                if os.path.basename(entry.path) in ignored:
                    self.skipped.append(entry.path)
                    continue
                yield entry
                if entry.is_folder:
                    self._open(entry)
                    folders.append(entry.path)

    def restore_modes(self) -> None:
        """Give folders back the modes that the walk has changed."""
        for path, mode in reversed(self._modes):
            with suppress(OSError):
                os.chmod(path, mode)

    def _entries(self, folder: bytes) -> list[Entry]:
        entries = []
        try:
            with os.scandir(os.path.join(self.root, folder)) as found:
                for item in found:
                    path = os.path.join(folder, item.name)
                    entries.append(Entry(path, item.stat(follow_symlinks=False)))
        except FileNotFoundError:
            # Another process may be removing it.
            return entries
        except OSError as error:
            self.errors[folder or b"."] = error.strerror or repr(error)
        return entries

    def _open(self, entry: Entry) -> None:
        mode = stat.S_IMODE(entry.status.st_mode)
        if mode & _OWNER == _OWNER:
            return
        path = os.path.join(self.root, entry.path)
        with suppress(OSError):
            os.chmod(path, mode | _OWNER)
            self._modes.append((path, mode))


def remove(path: bytes) -> None:
    """Remove a file, or a folder with all that is in it.

    Raises:
        OSError: something cannot be removed.
    """
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return
    tree = Tree(path)
    folders = [path]
    os.chmod(path, _OWNER)
    for entry in tree.walk():
        entry_path = os.path.join(path, entry.path)
        if entry.is_folder:
            folders.append(entry_path)
        else:
            os.unlink(entry_path)
    for folder in reversed(folders):
        os.rmdir(folder)
