"""One pass over a project's folder: what exists, and what has not changed since the last snapshot.

It reads no file. A file is unchanged if its inode, size, mode, owner, links and both times are.
"""

import os
import stat
from collections.abc import Collection
from typing import NoReturn

from riseml.errors import ProjectError
from riseml.project import ignore, names, progress

Key = tuple[int, ...]
"""What lstat says of a file: mode, inode, device, links, owner, group, size, and the nanoseconds of both times."""

MODE, INODE, SIZE, MTIME, CTIME = 0, 1, 6, 7, 8

File = tuple[Key, bytes]
"""A file or link as it was read, and the blob that holds its content."""

KnownFolder = tuple[int, dict[bytes, File], list[bytes], bytes]
"""A folder at the last snapshot: mode, files, names of its folders, and its tree (empty if it held nothing)."""

Excluded = tuple[bytes, os.stat_result, ignore.Excluder]
"""A path that is left out, its lstat, and what excludes it."""

LARGE_BYTES = 1 << 20
"""Size of the smallest file that may be kept beside Git."""

# A data set may consist of millions of files that one line excludes.
_MAX_EXCLUDED = 10_000

FILES = frozenset({stat.S_IFREG, stat.S_IFLNK})

UNKNOWN: KnownFolder = (0, {}, [], b"")


class Folder:
    """A folder of the project.

    `path` is relative and ends with a slash. `previous` is the folder at the last snapshot.
    `tree` is the id of its Git tree once that is written.
    """

    __slots__ = ("files", "folders", "is_same", "mode", "path", "previous", "tree")

    def __init__(self, path: bytes, mode: int, previous: KnownFolder) -> None:
        self.path, self.mode, self.previous = path, mode, previous
        self.files: dict[bytes, File] = {}
        self.folders: dict[bytes, Folder] = {}
        self.tree = b""
        self.is_same = False


class Tree:
    """The result of one walk.

    `folders` has parents first. `pending` are the files whose content is not known.
    `special` are the paths of sockets and the like. `ignored` counts the files and folders
    that a .gitignore excludes. `excluded` are the first ones that something excludes.
    With `splits`, large files are kept beside Git.
    """

    def __init__(self, top: bytes, previous: dict[bytes, KnownFolder]) -> None:
        self.top = os.path.join(top, b"")
        self.previous = previous
        self.folders: list[Folder] = []
        self.pending: list[tuple[Folder, bytes, Key]] = []
        self.special: list[bytes] = []
        self.ignored = 0
        self.excluded: list[Excluded] = []
        self.splits = False

    def is_beside_git(self, key: Key) -> bool:
        """Return whether a file's content is kept beside Git."""
        return self.splits and is_large(key)

    def is_same(self) -> bool:
        """Return whether nothing at all has changed since the last snapshot."""
        if self.pending or len(self.folders) != len(self.previous):
            return False
        return all(folder.is_same for folder in self.folders)


def walk(
    top: bytes,
    previous: dict[bytes, KnownFolder],
    *,
    gitignore: bool,
    without: Collection[tuple[int, int]] = (),
    copied: ignore.Chain = (),
) -> Tree:
    """Return the files and folders below `top`.

    `copied` excludes files as a .gitignore does, which only .risemlignore overrides.
    `without` are the devices and inodes of folders that do not belong to the project.
    """
    tree = Tree(top, previous)
    project_rules = ignore.of_project(top)
    if gitignore:
        project_rules = copied + project_rules
    rules = ignore.enclosing(top) if gitignore else ()
    stack = [(Folder(b"", 0, previous.get(b"", UNKNOWN)), rules)]
    progress.begin("scan")
    while stack:
        folder, rules = stack.pop()
        entries = _entries(tree, folder)
        if gitignore and _has_gitignore(entries):
            rules += ignore.below(top, folder.path)
        pending = len(tree.pending)
        _visit(tree, folder, entries, rules + project_rules, without)
        folder.is_same = pending == len(tree.pending) and _is_same(folder)
        tree.folders.append(folder)
        progress.advance(len(entries))
        for child in folder.folders.values():
            stack.append((child, rules))
    return tree


def _has_gitignore(entries: list[os.DirEntry[bytes]]) -> bool:
    return any(entry.name == b".gitignore" for entry in entries)


def _is_same(folder: Folder) -> bool:
    """Return whether a folder without pending files is as it was at the last snapshot."""
    mode, files, folders, _ = folder.previous
    if folder.mode != mode or len(folder.files) < len(files):
        return False
    return folder.folders.keys() == set(folders)


def _visit(
    tree: Tree,
    folder: Folder,
    entries: list[os.DirEntry[bytes]],
    rules: ignore.Chain,
    without: Collection[tuple[int, int]],
) -> None:
    """Enter what a folder holds, except what does not belong to the project."""
    path, files, previous_files = folder.path, folder.files, folder.previous[1]
    for entry in entries:
        name = entry.name
        # Few names begin like a hidden one, and the slice is quicker than a call.
        if name[:4] in names.SUSPECT and names.is_hidden(name):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            # It was deleted after the folder was listed.
            continue
        except OSError as error:
            unreadable(tree.top + path + name, error)
        kind = stat.S_IFMT(status.st_mode)
        if rules:
            is_folder = kind == stat.S_IFDIR
            excluding = ignore.excluded_by(rules, path + name, name, is_folder)
            if excluding is not None:
                tree.ignored += excluding.is_git
                if len(tree.excluded) < _MAX_EXCLUDED:
                    tree.excluded.append((path + name, status, excluding))
                continue
        if kind not in FILES:
            _add_other(tree, folder, name, status, without)
            continue
        # This is `key_of` without the call: the loop runs once for each file of a project.
        key = (*status[:7], status.st_mtime_ns, status.st_ctime_ns)
        previous = previous_files.get(name)
        if previous is not None and previous[0] == key:
            files[name] = previous
        else:
            tree.pending.append((folder, name, key))


def _add_other(
    tree: Tree,
    folder: Folder,
    name: bytes,
    status: os.stat_result,
    without: Collection[tuple[int, int]],
) -> None:
    """Enter a folder, or something that a snapshot cannot hold."""
    path = folder.path + name
    if not stat.S_ISDIR(status.st_mode):
        tree.special.append(path)
        return
    if (status.st_dev, status.st_ino) in without:
        return
    path += b"/"
    mode = stat.S_IMODE(status.st_mode)
    folder.folders[name] = Folder(path, mode, tree.previous.get(path, UNKNOWN))


def is_large(key: Key) -> bool:
    """Return whether a file may be kept beside Git."""
    return stat.S_ISREG(key[MODE]) and key[SIZE] >= LARGE_BYTES


def key_of(status: os.stat_result) -> Key:
    """Return the fields of a file that show whether it has changed."""
    return (*status[:7], status.st_mtime_ns, status.st_ctime_ns)


def _entries(tree: Tree, folder: Folder) -> list[os.DirEntry[bytes]]:
    """Return the entries of a folder, none if it was deleted after its parent was listed."""
    try:
        with os.scandir(tree.top + folder.path) as entries:
            return list(entries)
    except OSError as error:
        if folder.path and isinstance(error, FileNotFoundError | NotADirectoryError):
            return []
        unreadable(tree.top + folder.path, error)


def unreadable(path: bytes, error: OSError) -> NoReturn:
    """Raise the error about a file or folder of the project that cannot be read."""
    raise ProjectError(
        f"cannot read {os.fsdecode(path.rstrip(b'/'))}: {error.strerror}",
        "Make it readable, or name it in .risemlignore if jobs do not need it.",
    ) from error
