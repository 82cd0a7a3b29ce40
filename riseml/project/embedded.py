"""Code of a project as text that a document can contain: a compressed tar archive in Base64.

The same files give the same text, wherever and whenever it is made.
"""

import base64
import gzip
import io
import math
import os
import stat
import tarfile
from pathlib import Path

from riseml.errors import ProjectError
from riseml.project.folders import MODE, SIZE
from riseml.project.walk import Tree, unreadable, walk

LIMIT = 300_000
"""Bytes that the compressed code of a document may have: with its status, it has to fit into 1 MiB."""

# Each type of jobs has a copy.
_LIMIT_OF_SEVERAL = 450_000

# The names of so many files help to find what is too much.
_MAX_NAMED = 3
# `tar` warns of files from 1970.
_TIME = 946_684_800


def embedded(folder: Path, *, gitignore: bool = True, copies: int = 1) -> str:
    """Return the files of a project's folder as text, of which a document has so many copies.

    Raises:
        ProjectError: a file cannot be read, or the code is too large for a document.
    """
    # Without an earlier snapshot, the content of every file is pending.
    tree = walk(os.fsencode(folder.absolute()), {}, gitignore=gitignore)
    data = gzip.compress(_archive(tree), mtime=0)
    limit = min(LIMIT, _LIMIT_OF_SEVERAL // copies)
    if len(data) > limit:
        raise ProjectError(
            f"the code in {folder} has {_kilobytes(len(data))} compressed, and a document"
            f" contains up to {_kilobytes(limit)}{_largest(tree)}",
            "Write `--git URL` for code in a Git remote, or name in .risemlignore what"
            " jobs do not need.",
        )
    return base64.b64encode(data).decode()


def _archive(tree: Tree) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in sorted(tree.folders, key=lambda folder: folder.path):
            if folder.path:
                entry = _entry(folder.path, folder.mode)
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
        for path, mode in _files(tree):
            _add(archive, tree.top, path, mode)
    return buffer.getvalue()


def _files(tree: Tree) -> list[tuple[bytes, int]]:
    """Return path and mode of each file, sorted."""
    return sorted((folder.path + name, key[MODE]) for folder, name, key in tree.pending)


def _add(archive: tarfile.TarFile, top: bytes, path: bytes, mode: int) -> None:
    entry = _entry(path, mode)
    try:
        if stat.S_ISLNK(mode):
            entry.type = tarfile.SYMTYPE
            entry.linkname = os.fsdecode(os.readlink(top + path))
            archive.addfile(entry)
            return
        with open(top + path, "rb") as file:
            data = file.read()
    except OSError as error:
        unreadable(top + path, error)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _entry(path: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(os.fsdecode(path).rstrip("/"))
    entry.mode = stat.S_IMODE(mode)
    entry.mtime = _TIME
    return entry


def _kilobytes(size: int) -> str:
    return f"{math.ceil(size / 1000)} kB"


def _largest(tree: Tree) -> str:
    """Return the names and sizes of the largest files as the end of a sentence."""
    sizes = [(key[SIZE], folder.path + name) for folder, name, key in tree.pending]
    sizes.sort(reverse=True)
    words = []
    for size, path in sizes[:_MAX_NAMED]:
        name = os.fsencode(path).decode("utf-8", "replace")
        words.append(f"{name} ({_kilobytes(size)})")
    return f"; the largest files are {', '.join(words)}" if words else ""
