"""Content of the files that a walk found new or changed.

same inode, size and modification time, and a changed mode, owner or link explains the
    changed status time: not read
changed while it was read: read again; if it keeps changing, stored as it was and read
    again by the next snapshot
changed shortly before: compared again by the next snapshot, since its times are coarse
"""

import errno
import os
import stat
import time
from collections.abc import Callable
from functools import partial

from riseml.errors import ProjectError
from riseml.project import progress
from riseml.project.folders import CTIME, INODE, MODE, MTIME, SIZE, File, Folder, Key
from riseml.project.large_files import LargeFiles
from riseml.project.objects import Objects
from riseml.project.walk import FILES, Tree, key_of, unreadable

# The coarsest times of a file system in use: FAT counts in steps of two seconds.
_COARSE_NANOSECONDS = 2_000_000_000
_ATTEMPTS = 5
Keep = Callable[[bytes, int, Key], bytes | None]
"""Stores an open file; takes its path, descriptor and key, and returns its blob."""
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Errors of a file that was deleted, or replaced by another kind of file.
_CHANGED = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.EINVAL,
    errno.ENXIO,
}


def take(tree: Tree, objects: Objects, large: LargeFiles) -> None:
    """Store the content of all pending files, and enter them in their folders."""
    keep: Keep = partial(_keep, tree=tree, objects=objects, large=large)
    recent = time.time_ns() - _COARSE_NANOSECONDS
    previous_files: dict[bytes, File] = {}
    previous_folder: Folder | None = None
    for folder, name, key in tree.pending:
        if folder is not previous_folder:
            previous_folder, previous_files = folder, folder.previous.unpacked()
        previous = previous_files.get(name)
        if previous is not None and _is_untouched(previous[0], key):
            file: File | None = (key, previous[1])
        else:
            file = _read(tree.top + folder.path + name, key, objects, keep)
        if file is None:
            folder.listing = b""
            continue
        read_key, blob = file
        if read_key[CTIME] >= recent:
            read_key = _unsure(read_key)
        if read_key != key:
            # The next walk has to look at the file whatever the listing is.
            folder.listing = b""
        folder.files[name] = (read_key, blob)


def _is_untouched(previous: Key, current: Key) -> bool:
    """Return whether the content of a file is the same although its key is not."""
    if _written(previous) != _written(current):
        return False
    # A write changes the status time, too. So does a changed mode, owner or link, which
    # the fields before the size show.
    return previous[CTIME] == current[CTIME] or previous[:SIZE] != current[:SIZE]


def _written(key: Key) -> tuple[int, int, int, int]:
    """Return the fields of a file that a change of its content changes, except the status time."""
    return stat.S_IFMT(key[MODE]), key[INODE], key[SIZE], key[MTIME]


def _unsure(key: Key) -> Key:
    """Return a key that the file will not have at the next walk."""
    return (*key[:MTIME], -1, *key[CTIME:])


def _keep(
    path: bytes,
    opened: int,
    key: Key,
    *,
    tree: Tree,
    objects: Objects,
    large: LargeFiles,
) -> bytes | None:
    """Store an open file in Git or beside it.

    It returns its blob, or None if it is shorter than `key` says.
    """
    if tree.is_beside_git(key):
        return large.add(
            opened,
            key[MODE],
            key[SIZE],
            read=partial(_some, path),
            read_at=partial(_read_at, path),
        )
    return objects.add_file(partial(_some, path, opened), key[SIZE])


def _read(path: bytes, key: Key, objects: Objects, keep: Keep) -> File | None:
    """Store a file or link; return None if it was deleted or is neither of them now."""
    blob = None
    for _ in range(_ATTEMPTS):
        blob, current = _attempt(path, key, objects, keep)
        if current is None or stat.S_IFMT(current[MODE]) not in FILES:
            return None
        if blob is not None and current == key:
            return key, blob
        key = current
    if blob is None:
        raise ProjectError(
            f"{os.fsdecode(path)} changes faster than it can be read",
            "Wait for its writer, or name it in .risemlignore.",
        )
    return _unsure(key), blob


def _attempt(
    path: bytes, key: Key, objects: Objects, keep: Keep
) -> tuple[bytes | None, Key | None]:
    """Return the blob, and the key after reading.

    The blob is None if the file was shorter than `key` says, the key if it was deleted.
    """
    is_link = stat.S_ISLNK(key[MODE])
    try:
        opened = os.readlink(path) if is_link else os.open(path, _OPEN)
    except OSError as error:
        if error.errno not in _CHANGED:
            unreadable(path, error)
        return None, _key_at(path)
    if isinstance(opened, bytes):
        return objects.add(b"blob", opened), _key_at(path)
    try:
        blob = keep(path, opened, key)
        return blob, key_of(os.fstat(opened))
    finally:
        os.close(opened)


def _key_at(path: bytes) -> Key | None:
    try:
        return key_of(os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _some(path: bytes, descriptor: int, size: int) -> bytes:
    """Return the next `size` bytes of a file, fewer at its end."""
    try:
        data = os.read(descriptor, size)
        while len(data) < size:
            # One call returns at most 2 GB.
            piece = os.read(descriptor, size - len(data))
            if not piece:
                break
            data += piece
        progress.advance(len(data))
    except IsADirectoryError:
        return b""
    except OSError as error:
        unreadable(path, error)
    return data


def _read_at(path: bytes, descriptor: int, buffer: memoryview, position: int) -> int:
    """Fill a buffer from a position of a file; return how many bytes there are."""
    try:
        return os.preadv(descriptor, [buffer], position)
    except IsADirectoryError:
        return 0
    except OSError as error:
        unreadable(path, error)
