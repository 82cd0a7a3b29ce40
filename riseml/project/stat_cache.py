"""Cache of what the last snapshot of a folder saw, so that the next one reads only changed files.

It may be lost at any time; then all files are read again. There is one file per folder, since
several folders may hold the same project, and per Python version, since `marshal`, by far the
fastest format to load, belongs to one version.
"""

import marshal
import os
import sys
import zlib

from riseml.project.store import Store
from riseml.project.walk import MODE, SIZE, File, Folder, KnownFolder, is_large

_MAX_FOLDERS = 8
_PREFIX = "seen-"


class StatCache:
    """What the last snapshot of `folder` saw.

    `folders` maps the path of each folder below it to its state, `revision` is its revision.
    Both are empty if nothing is known.
    """

    def __init__(self, store: Store, folder: bytes, *, split: bool = False) -> None:
        self._store = store
        self._folder = os.path.realpath(folder)
        version = f"{sys.hexversion >> 16:x}"
        # Snapshots that keep large files beside Git have other trees.
        self._split = split
        kind = "-split" if split else ""
        checksum = f"{zlib.crc32(self._folder):08x}"
        self._name = f"riseml/{_PREFIX}{checksum}-{version}{kind}"
        self.revision = ""
        self.folders: dict[bytes, KnownFolder] = {}
        self._is_new = True
        self._load()

    def _load(self) -> None:
        try:
            with open(os.path.join(self._store.path, self._name), "rb") as file:
                # Only `save` writes the file, in a folder of the user.
                folder, boot, revision, folders = marshal.loads(file.read())  # noqa: S302
        except (OSError, EOFError, ValueError, TypeError):
            return
        if folder != self._folder:
            # Another folder has the same checksum.
            return
        self._is_new = False
        self.folders = dict(folders)
        if boot == _boot():
            self.revision = revision
        else:
            self._forget_lost_objects()

    def _forget_lost_objects(self) -> None:
        """Forget objects whose files are empty: a power cut may have emptied them."""
        for path, (mode, files, folders, tree) in self.folders.items():
            complete = {}
            for name, file in files.items():
                if self._is_complete(file):
                    complete[name] = file
            complete_tree = tree if self._store.is_complete(tree) else b""
            self.folders[path] = (mode, complete, folders, complete_tree)

    def _is_complete(self, file: File) -> bool:
        key, blob = file
        if not (self._split and is_large(key)):
            return self._store.is_complete(blob)
        # Only the first snapshot after a start of the machine needs it.
        from riseml.project.large_files import LargeFiles  # noqa: PLC0415

        return LargeFiles(self._store).is_complete(blob, key[MODE], key[SIZE])

    def save(self, revision: str, folders: list[Folder]) -> None:
        """Store what a snapshot saw."""
        entries = []
        for folder in folders:
            known = (folder.mode, folder.files, list(folder.folders), folder.tree)
            entries.append((folder.path, known))
        data = marshal.dumps((self._folder, _boot(), revision, entries))
        self._store.write(self._name, data, 0o600)
        if self._is_new:
            self._delete_oldest()

    def _delete_oldest(self) -> None:
        """Delete the caches of folders that have not been used for the longest time."""
        for path in _caches(self._store)[:-_MAX_FOLDERS]:
            os.unlink(path)


def delete_caches(store: Store) -> None:
    """Delete all caches of a repository: they name objects that it may lose now."""
    for path in _caches(store):
        os.unlink(path)


def _caches(store: Store) -> list[str]:
    """Return the paths of a repository's caches, the one not used for the longest time first."""
    caches = []
    with os.scandir(store.private) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                caches.append((entry.stat().st_mtime_ns, entry.path))
    return [path for _, path in sorted(caches)]


def _boot() -> bytes:
    """Return an id that differs after each start of the machine, empty if it is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read()
    except OSError:
        return b""
