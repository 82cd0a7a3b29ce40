"""What the last snapshot of a folder saw, kept in the store so that the next one reads only what has changed.

It may be lost at any time: then everything is read again. There is one file per folder, since several may hold the same
project, and per Python, since `marshal`, by far the quickest form to load, is Python's own.
"""

import marshal
import os
import sys
import zlib

from riseml.project.store import Store
from riseml.project.walk import Folder, Known

# Folders
_KEPT = 8


class Seen:
    """What was seen of `folder`: every folder below it by its path, and the revision; empty where nothing is known."""

    def __init__(self, store: Store, folder: bytes) -> None:
        self._store, self._folder = store, os.path.realpath(folder)
        self._name = (
            f"riseml/seen-{zlib.crc32(self._folder):08x}-{sys.hexversion >> 16:x}"
        )
        self.revision = ""
        self.folders: dict[bytes, Known] = {}
        self._is_new = True
        self._load()

    def _load(self) -> None:
        try:
            with open(os.path.join(self._store.path, self._name), "rb") as file:
                # Written by `save`
                folder, boot, revision, folders = marshal.loads(file.read())  # noqa: S302
        except (OSError, EOFError, ValueError, TypeError):
            return
        if folder == self._folder:
            self._is_new = False
            self.folders = dict(folders)
            if boot == _boot():
                self.revision = revision
            else:
                self._distrust()

    def _distrust(self) -> None:
        """Forget what a power cut may have cost: objects, whose files are empty then."""
        whole = self._store.is_whole
        for path, (mode, files, folders, tree) in self.folders.items():
            kept = {name: file for name, file in files.items() if whole(file[1])}
            self.folders[path] = (mode, kept, folders, tree if whole(tree) else b"")

    def save(self, revision: str, folders: list[Folder]) -> None:
        """Keep what is to be known next time."""
        listed = [(f.path, (f.mode, f.files, list(f.folders), f.tree)) for f in folders]
        self._store.write(
            self._name, marshal.dumps((self._folder, _boot(), revision, listed)), 0o600
        )
        if self._is_new:
            self._forget_others()

    def _forget_others(self) -> None:
        with os.scandir(self._store.private) as entries:
            found = sorted(
                (e.stat().st_mtime_ns, e.path)
                for e in entries
                if e.name.startswith("seen-")
            )
        for _, path in found[:-_KEPT]:
            os.unlink(path)


def _boot() -> bytes:
    """Return what differs after each start of the machine, empty where that is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read()
    except OSError:
        return b""
