"""Large files of snapshots, beside the repository's Git objects: as they are, once each.

    project/weights.bin ──reflink or copy──▶ <project>.git/riseml/files/<id>-0644
                                                     └── hard link ──▶ checkout that jobs share

A Git object would be a second copy of another form. The commit's message names the files,
and `templates/checkout.sh` puts them where they belong: as hard links in a checkout that
nobody writes to, as copies in others.
"""

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from riseml.project.store import Store

if TYPE_CHECKING:
    from riseml.project import block_copy, hashed_copy

_FOLDER = "riseml/files"
_LINE = re.compile(r"^file (\S+) (\S+)$", re.MULTILINE)
_ESCAPE = re.compile(r"\\0([0-7]{3})")


def name_of(blob: bytes, mode: int) -> str:
    """Return the name of a file: the id of its content, and its permissions.

    The id is that of a Git object, or for a very large file that of its blocks (`block_copy`).
    """
    return f"{blob.hex()}-{stat.S_IMODE(mode):04o}"


def in_message(message: str) -> dict[str, str]:
    """Return the names of the large files that a commit's message lists, by their paths."""
    names = {}
    for name, escaped in _LINE.findall(message):
        names[unescaped(escaped)] = name
    return names


def unescaped(escaped: str) -> str:
    """Return a path that a commit's message contains."""
    path = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), escaped)
    return os.fsdecode(path.encode("latin-1"))


class LargeFiles:
    """The large files of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def path(self, name: str) -> str:
        """Return the path of a file, whether it exists or not."""
        return os.path.join(self._store.path, _FOLDER, name)

    def is_complete(self, blob: bytes, mode: int, size: int) -> bool:
        """Return whether a file exists; a power cut may have shortened it."""
        try:
            return os.stat(self.path(name_of(blob, mode))).st_size == size
        except FileNotFoundError:
            return False

    def add(
        self,
        source: int,
        mode: int,
        size: int,
        *,
        read: "hashed_copy.Read",
        read_at: "block_copy.Read",
    ) -> bytes | None:
        """Store the content of an open file; return its id, None if it has another size."""
        # Both load threads, which snapshots of small files do without.
        from riseml.project import block_copy, hashed_copy  # noqa: PLC0415

        unfinished = self._store.unfinished("large")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        target = os.open(unfinished, flags, 0o600)
        try:
            if size >= block_copy.MIN_BYTES:
                blob = block_copy.copy(source, target, size, read_at)
            else:
                blob = hashed_copy.blob_of_copy(source, target, size, read)
            os.fchmod(target, stat.S_IMODE(mode))
            if blob is not None and not self.is_complete(blob, mode, size):
                self._store.rename(unfinished, f"{_FOLDER}/{name_of(blob, mode)}")
        finally:
            os.close(target)
            # It is still there after an error, such as that of a full disk.
            self._store.unfinished("large")
        return blob

    def keep(self, names: Iterable[str]) -> None:
        """Remove all files except these."""
        for name in self.names().difference(names):
            os.unlink(self.path(name))

    def names(self) -> set[str]:
        """Return the names of all files."""
        with suppress(FileNotFoundError):
            return set(os.listdir(self.path("")))
        return set()
