"""One pass over a project's folder: what is there, and which of it is as the last snapshot saw it.

Nothing is read here. A file is as before while its inode, size, mode, owner, links and both times are.
"""

import os
import stat
from collections.abc import Collection
from typing import NoReturn

from riseml.errors import ProjectError
from riseml.project import ignore, names

Key = tuple[int, ...]
"""What lstat says of a file: mode, inode, device, links, owner, group, size, and the nanoseconds of both times."""

MODE, INODE, SIZE, MTIME, CTIME = 0, 1, 6, 7, 8

File = tuple[Key, bytes]
"""A file or link as it was read, and the blob that holds its content."""

Known = tuple[int, dict[bytes, File], list[bytes], bytes]
"""A folder at the last snapshot: mode, files, names of its folders, and its tree (empty where it held nothing)."""

FILES = frozenset({stat.S_IFREG, stat.S_IFLNK})

UNKNOWN: Known = (0, {}, [], b"")


class Folder:
    """A folder of the project; `path` is relative with a slash at its end, `tree` is known once it is written."""

    __slots__ = ("before", "files", "folders", "is_same", "mode", "path", "tree")

    def __init__(self, path: bytes, mode: int, before: Known) -> None:
        self.path, self.mode, self.before = path, mode, before
        self.files: dict[bytes, File] = {}
        self.folders: dict[bytes, Folder] = {}
        self.tree = b""
        self.is_same = False


class Tree:
    """What one walk found: `folders` with parents first, `pending` files of unknown content, and what stays out."""

    def __init__(self, top: bytes, known: dict[bytes, Known]) -> None:
        self.top = os.path.join(top, b"")
        self.known = known
        self.folders: list[Folder] = []
        self.pending: list[tuple[Folder, bytes, Key]] = []
        self.special: list[bytes] = []
        self.ignored = 0

    def is_same(self) -> bool:
        """Return whether nothing at all has changed since the last snapshot."""
        return (
            len(self.folders) == len(self.known)
            and not self.pending
            and all(f.is_same for f in self.folders)
        )


def walk(
    top: bytes,
    known: dict[bytes, Known],
    *,
    gitignore: bool,
    without: Collection[tuple[int, int]] = (),
) -> Tree:
    """Return what lies below `top`; `without` are devices and inodes of folders that are not part of the project."""
    tree = Tree(top, known)
    own = ignore.own(top)
    stack = [
        (
            Folder(b"", 0, known.get(b"", UNKNOWN)),
            ignore.enclosing(top) if gitignore else (),
        )
    ]
    while stack:
        folder, rules = stack.pop()
        entries = _entries(tree, folder)
        if gitignore and any(entry.name == b".gitignore" for entry in entries):
            rules += ignore.below(top, folder.path)
        changed = _visit(tree, folder, entries, rules + own, without)
        folder.is_same = not changed and folder.folders.keys() == set(folder.before[2])
        tree.folders.append(folder)
        stack.extend((child, rules) for child in folder.folders.values())
    return tree


def _visit(
    tree: Tree,
    folder: Folder,
    entries: list[os.DirEntry[bytes]],
    rules: ignore.Chain,
    without: Collection[tuple[int, int]],
) -> bool:
    """Fill in one folder; return whether a file, or the folder's own mode, has changed."""
    path, files, before = folder.path, folder.files, folder.before[1]
    pending = len(tree.pending)
    for entry in entries:
        name = entry.name
        if name[:4] in names.SUSPECT and names.is_hidden(name):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            # It went away after the folder was listed
            continue
        except OSError as error:
            unreadable(tree.top + path + name, error)
        kind = stat.S_IFMT(status.st_mode)
        if rules and (
            by := ignore.excluded_by(rules, path + name, name, kind == stat.S_IFDIR)
        ):
            tree.ignored += by.is_git
        elif kind in FILES:
            key = (
                *status[:7],
                status.st_mtime_ns,
                status.st_ctime_ns,
            )  # key_of, in the one loop where calls count
            known = before.get(name)
            if known is not None and known[0] == key:
                files[name] = known
            else:
                tree.pending.append((folder, name, key))
        elif kind != stat.S_IFDIR:
            tree.special.append(path + name)
        elif (status.st_dev, status.st_ino) not in without:
            place = path + name + b"/"
            folder.folders[name] = Folder(
                place, stat.S_IMODE(status.st_mode), tree.known.get(place, UNKNOWN)
            )
    return (
        pending < len(tree.pending)
        or len(files) < len(before)
        or folder.mode != folder.before[0]
    )


def key_of(status: os.stat_result) -> Key:
    """Return what is compared of a file."""
    return (*status[:7], status.st_mtime_ns, status.st_ctime_ns)


def _entries(tree: Tree, folder: Folder) -> list[os.DirEntry[bytes]]:
    """Return what a folder holds; nothing where it went away after its parent was listed."""
    try:
        with os.scandir(tree.top + folder.path) as found:
            return list(found)
    except OSError as error:
        if folder.path and isinstance(error, FileNotFoundError | NotADirectoryError):
            return []
        unreadable(tree.top + folder.path, error)


def unreadable(path: bytes, error: OSError) -> NoReturn:
    """Raise the error about a part of the project that cannot be read."""
    raise ProjectError(
        f"cannot read {os.fsdecode(path.rstrip(b'/'))}: {error.strerror}",
        "Make it readable, or name it in .risemlignore if jobs do not need it.",
    ) from error
