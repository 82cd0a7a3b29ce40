"""Disk space of folders as `du` counts it: blocks, and each file with several names once."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from riseml.dataclass import dataclass, field

# The unit of `st_blocks`, whatever the file system.
_BLOCK_BYTES = 512


@dataclass
class FileLinks:
    """A file with several names: its size in bytes, all its names, and those seen so far."""

    size: int
    names: int
    seen: int = 0


@dataclass
class Folder:
    """What is in a folder: bytes of files with one name, and the other files by their identity."""

    size: int = 0
    links: dict[tuple[int, int], FileLinks] = field(default_factory=dict)

    def add(self, status: os.stat_result, *, is_folder: bool) -> None:
        """Add a file or folder."""
        size = status.st_blocks * _BLOCK_BYTES
        if is_folder or status.st_nlink == 1:
            self.size += size
            return
        identity = status.st_dev, status.st_ino
        new_links = FileLinks(size, status.st_nlink)
        self.links.setdefault(identity, new_links).seen += 1


def measure(path: Path | str, *, skip: frozenset[str] = frozenset()) -> Folder:
    """Return what is in a folder, or a file; names in `skip` are left out at its top.

    What does not exist, or cannot be read, takes no space.
    """
    folder = Folder()
    try:
        # `pathlib` would take half of the time.
        status = os.lstat(path)
    except OSError:
        return folder
    remaining = []
    is_folder = os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114
    folder.add(status, is_folder=is_folder)
    if is_folder:
        remaining.append(os.fspath(path))
    while remaining:
        for entry in _entries(remaining.pop()):
            if skip and entry.name in skip:
                continue
            try:
                status = entry.stat(follow_symlinks=False)
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                # A job may remove it at any time.
                continue
            folder.add(status, is_folder=is_folder)
            if is_folder:
                remaining.append(entry.path)
        skip = frozenset()
    return folder


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except OSError:
        # Overlays have a folder that nobody may read.
        return


def taken(folders: Iterable[Folder]) -> int:
    """Return the bytes that folders take together."""
    total = 0
    links: dict[tuple[int, int], FileLinks] = {}
    for folder in folders:
        total += folder.size
        links.update(folder.links)
    for file in links.values():
        total += file.size
    return total


def freed(folders: Iterable[Folder]) -> int:
    """Return the bytes that removing folders frees: files with a name elsewhere stay."""
    total = 0
    seen: dict[tuple[int, int], int] = {}
    links: dict[tuple[int, int], FileLinks] = {}
    for folder in folders:
        total += folder.size
        for identity, file in folder.links.items():
            seen[identity] = seen.get(identity, 0) + file.seen
            links[identity] = file
    for identity, file in links.items():
        if seen[identity] >= file.names:
            total += file.size
    return total
