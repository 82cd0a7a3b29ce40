"""Reading what a walk found new or changed.

same inode, size and modification time, and the status time explained by a changed mode, owner or link: not read
changed while it was read: read again, and if it never rests, kept as it was and looked at again next time
changed shortly before: looked at again next time, since the clock of its times is coarse
"""

import errno
import os
import stat
import time
from functools import partial

from riseml.errors import ProjectError
from riseml.project.objects import Objects
from riseml.project.walk import (
    CTIME,
    FILES,
    INODE,
    MODE,
    MTIME,
    SIZE,
    File,
    Key,
    Tree,
    key_of,
    unreadable,
)

# Nanoseconds: the coarsest times of a file system in use
_COARSE = 2_000_000_000
_ATTEMPTS = 5
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHANGED = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.EINVAL,
    errno.ENXIO,
}  # gone, or of another kind by now


def take(tree: Tree, objects: Objects) -> None:
    """Store the content of all pending files, and enter them in their folders."""
    recent = time.time_ns() - _COARSE
    for folder, name, key in tree.pending:
        before = folder.before[1].get(name)
        if before is not None and _is_untouched(before[0], key):
            file: File | None = (key, before[1])
        else:
            file = _read(tree.top + folder.path + name, key, objects)
        if file is not None:
            folder.files[name] = (
                file if file[0][CTIME] < recent else (_unsure(file[0]), file[1])
            )


def _is_untouched(before: Key, now: Key) -> bool:
    """Return whether the content must be as before although something else is not."""
    same_kind = stat.S_IFMT(before[MODE]) == stat.S_IFMT(now[MODE])
    same_times = (
        before[INODE] == now[INODE]
        and before[SIZE : MTIME + 1] == now[SIZE : MTIME + 1]
    )
    return (
        same_kind
        and same_times
        and (before[CTIME] == now[CTIME] or before[:SIZE] != now[:SIZE])
    )


def _unsure(key: Key) -> Key:
    """Return a key that the file will not have at the next walk."""
    return (*key[:MTIME], -1, *key[CTIME:])


def _read(path: bytes, key: Key, objects: Objects) -> File | None:
    """Store a file or a link; return None where it is gone, or is neither any more."""
    blob = None
    for _ in range(_ATTEMPTS):
        blob, now = _attempt(path, key, objects)
        if now is None or stat.S_IFMT(now[MODE]) not in FILES:
            return None
        if blob is not None and now == key:
            return key, blob
        key = now
    if blob is None:
        raise ProjectError(
            f"{os.fsdecode(path)} changes faster than it can be read",
            "Wait for its writer, or name it in .risemlignore.",
        )
    return _unsure(key), blob


def _attempt(
    path: bytes, key: Key, objects: Objects
) -> tuple[bytes | None, Key | None]:
    """Return the blob, where there was as much to read as `key` says, and what lstat says after reading."""
    try:
        opened = os.readlink(path) if stat.S_ISLNK(key[MODE]) else os.open(path, _OPEN)
    except OSError as error:
        return None, _status(path) if error.errno in _CHANGED else unreadable(
            path, error
        )
    if isinstance(opened, bytes):
        return objects.add(b"blob", opened), _status(path)
    try:
        return objects.add_file(partial(_some, path, opened), key[SIZE]), key_of(
            os.fstat(opened)
        )
    finally:
        os.close(opened)


def _status(path: bytes) -> Key | None:
    try:
        return key_of(os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _some(path: bytes, descriptor: int, size: int) -> bytes:
    """Return the next `size` bytes of a file, fewer at its end."""
    try:
        data = os.read(descriptor, size)
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
    except IsADirectoryError:
        return b""
    except OSError as error:
        unreadable(path, error)
    return data
