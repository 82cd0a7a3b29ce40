"""One pass over a project's folder: what exists, and what has not changed since the last snapshot.

It reads no file. A file is unchanged if its inode, size, mode, owner, links and both times are.
A folder is unchanged if its listing is (`folders`); then none of its files is looked at.
"""

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from typing import NoReturn

from riseml.errors import ProjectError
from riseml.project import ignore, names, progress
from riseml.project.folder_times import FolderTimes
from riseml.project.folders import (
    UNKNOWN,
    Folder,
    Key,
    KnownFolder,
    Names,
    State,
    is_large,
    listing_of,
    names_of,
    states_at,
    states_of,
)

Excluded = tuple[bytes, os.stat_result, ignore.Excluder]
"""A path that is left out, its lstat, and what excludes it."""

# A data set may consist of millions of files that one line excludes.
_MAX_EXCLUDED = 10_000

FILES = frozenset({stat.S_IFREG, stat.S_IFLNK})


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
    walker = _Walker(tree, project_rules, without, gitignore=gitignore)
    stack = [(Folder(b"", 0, previous.get(b"", UNKNOWN)), rules)]
    progress.begin("scan")
    while stack:
        folder, rules = stack.pop()
        rules = walker.enter(folder, rules)
        tree.folders.append(folder)
        for child in folder.folders.values():
            stack.append((child, rules))
    return tree


class _Walker:
    """Looks at one folder after the other, as briefly as possible."""

    def __init__(
        self,
        tree: Tree,
        project_rules: ignore.Chain,
        without: Collection[tuple[int, int]],
        *,
        gitignore: bool,
    ) -> None:
        self._tree, self._project_rules = tree, project_rules
        self._without, self._gitignore = without, gitignore
        self._identify = _Identities(without)
        self._times = FolderTimes()

    def enter(self, folder: Folder, rules: ignore.Chain) -> ignore.Chain:
        """Enter what a folder holds; return the rules for the folders in it."""
        with suppress(OSError):
            status = os.lstat(self._tree.top + folder.path)
            folder.times = self._times.of(status)
            # That of the project's folder does not matter.
            if folder.path:
                folder.mode = stat.S_IMODE(status.st_mode)
        if folder.times and folder.times == folder.previous.times:
            names_before = folder.previous.unpacked_names()
            inner_rules = self._inner_rules(folder, rules, names_before)
            if self._is_as_before(folder, inner_rules, names_before):
                return inner_rules
        return self._scan(folder, rules)

    def _inner_rules(
        self, folder: Folder, rules: ignore.Chain, found: Names
    ) -> ignore.Chain:
        if self._gitignore and b".gitignore" in found.others:
            return rules + ignore.below(self._tree.top, folder.path)
        return rules

    def _is_as_before(self, folder: Folder, rules: ignore.Chain, found: Names) -> bool:
        """Reuse a folder with the same names if its files are the same, too."""
        previous = folder.previous
        if not previous.listing:
            return False
        try:
            states = states_at(self._tree.top + folder.path, found.others)
        except OSError:
            return False
        self._note(folder, rules, previous.names, states)
        if folder.listing != previous.listing:
            return False
        folder.reuse(self._tree.previous)
        progress.advance(len(found.others))
        return True

    def _scan(self, folder: Folder, rules: ignore.Chain) -> ignore.Chain:
        """List a folder, and look at its entries unless they are as before."""
        tree = self._tree
        entries = _entries(tree, folder)
        found = names_of(entries)
        inner_rules = self._inner_rules(folder, rules, found)
        folder.listing = b""
        with suppress(OSError):
            self._note(folder, inner_rules, found.packed(), states_of(entries))
        if folder.listing and folder.listing == folder.previous.listing:
            folder.reuse(tree.previous)
        else:
            pending = len(tree.pending)
            all_rules = inner_rules + self._project_rules
            _visit(tree, folder, entries, all_rules, self._without)
            folder.is_same = pending == len(tree.pending) and _is_same(folder)
        progress.advance(len(entries))
        return inner_rules

    def _note(
        self,
        folder: Folder,
        rules: ignore.Chain,
        packed_names: bytes,
        states: list[State],
    ) -> None:
        """Note names and listing of a folder for the next walk."""
        identity = self._identify(rules + self._project_rules)
        folder.names = packed_names
        folder.listing = listing_of(identity, packed_names, states)


class _Identities:
    """Identities of rules: bytes that differ if the same entries may be excluded otherwise."""

    def __init__(self, without: Collection[tuple[int, int]]) -> None:
        self._without = repr(sorted(without)).encode()
        self._known: dict[ignore.Chain, bytes] = {}

    def __call__(self, rules: ignore.Chain) -> bytes:
        if not rules:
            return self._without
        if rules not in self._known:
            self._known[rules] = self._without + ignore.digest(rules)
        return self._known[rules]


def _is_same(folder: Folder) -> bool:
    """Return whether a folder without pending files is as it was at the last snapshot."""
    previous = folder.previous
    if folder.mode != previous.mode or len(folder.files) < previous.totals.files:
        return False
    return folder.folders.keys() == set(previous.folders)


def _visit(
    tree: Tree,
    folder: Folder,
    entries: list[os.DirEntry[bytes]],
    rules: ignore.Chain,
    without: Collection[tuple[int, int]],
) -> None:
    """Enter what a folder holds, except what does not belong to the project."""
    path, files, previous_files = folder.path, folder.files, folder.previous.unpacked()
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
                # The next walk has to find it again.
                folder.listing = b""
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
        folder.listing = b""
        return
    if (status.st_dev, status.st_ino) in without:
        return
    path += b"/"
    mode = stat.S_IMODE(status.st_mode)
    folder.folders[name] = Folder(path, mode, tree.previous.get(path, UNKNOWN))


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
