"""Cache of what the last snapshot of a folder saw, so that the next one reads only changed files.

It may be lost at any time; then all files are read again. There is one file per folder, since
several folders may hold the same project, and per Python version, since `marshal`, by far the
fastest format to load, belongs to one version. The files of an unchanged folder stay packed.
"""

import marshal
import os
import sys
import zlib
from contextlib import suppress

from riseml.project.folders import (
    MODE,
    SIZE,
    File,
    Folder,
    KnownFolder,
    Totals,
    is_large,
)
from riseml.project.store import Store

_MAX_FOLDERS = 8
_PREFIX = "seen-"
# Versions of RiseML that share a home do not read each other's caches.
_FORMAT = 3
_CHECKSUM_BYTES = 4


class StatCache:
    """What the last snapshot of `folder` saw.

    `folders` maps the path of each folder below it to its state, `revision` is its revision.
    Both are empty if nothing is known.
    """

    def __init__(self, store: Store, folder: bytes, *, split: bool = False) -> None:
        self._store = store
        self._folder = os.path.realpath(folder)
        version = f"{sys.hexversion >> 16:x}-{_FORMAT}"
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
                checksum, data = file.read(_CHECKSUM_BYTES), file.read()
            if checksum != _checksum(data):
                return
            # Only `save` writes the file, in a folder of the user.
            folder, boot, revision, folders = marshal.loads(data)  # noqa: S302
        except OSError:
            return
        if folder != self._folder:
            # Another folder has the same checksum.
            return
        self._is_new = False
        for path, fields, totals in folders:
            self.folders[path] = KnownFolder._make((*fields, Totals._make(totals)))
        if boot == _boot():
            self.revision = revision
        else:
            self._forget_lost_objects()

    def _forget_lost_objects(self) -> None:
        """Forget objects whose files are empty: a power cut may have emptied them."""
        for path, known in self.folders.items():
            complete = {}
            files = known.unpacked()
            for name, file in files.items():
                if self._is_complete(file):
                    complete[name] = file
            remaining = known
            if len(complete) < len(files):
                remaining = known.with_files(complete)
            if not self._store.is_complete(known.tree):
                remaining = remaining._replace(tree=b"")
            self.folders[path] = remaining

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
            *fields, totals = folder.known()
            entries.append((folder.path, fields, tuple(totals)))
        data = marshal.dumps((self._folder, _boot(), revision, entries))
        unfinished = self._store.make(_checksum(data) + data, 0o600)
        # Replacing a file makes ext4 write the new one to the disk at once, which takes
        # milliseconds. The cache may be lost, so there is nothing to replace.
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self._store.path, self._name))
        self._store.rename(unfinished, self._name)
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


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "big")


def _boot() -> bytes:
    """Return an id that differs after each start of the machine, empty if it is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read()
    except OSError:
        return b""
