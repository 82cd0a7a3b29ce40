"""Disks that are full: how much space is free, and the error that names the disk."""

import errno
import os
from pathlib import Path

from riseml.errors import DiskFullError

_ERRORS_OF_FULL_DISKS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
# An empty file of the largest usual block size.
_ROOM_BYTES = 1 << 16
_BYTES_PER_MB = 1_000_000
_ADVICE = (
    "Free some space there: `riseml prune --older-than 7d` deletes old runs, `riseml delete ID` deletes one. "
    "RISEML_HOME may also name a folder on another disk."
)


def means_full(error: OSError) -> bool:
    """Return whether an error says that a disk or a quota is full."""
    return error.errno in _ERRORS_OF_FULL_DISKS


def free_bytes(path: Path) -> int:
    """Return the space that this user may still fill on the disk of a path.

    It is 0 if the disk has space, but no room for another file.
    """
    status = os.statvfs(_existing(path))
    # Some file systems do not count their files.
    if status.f_files and not status.f_favail:
        return 0
    return status.f_bavail * status.f_frsize


def total_bytes(path: Path) -> int:
    """Return the size of the disk of a path."""
    status = os.statvfs(_existing(path))
    return status.f_blocks * status.f_frsize


def has_room(path: Path) -> bool:
    """Return whether small files fit on the disk of a path."""
    return free_bytes(path) >= _ROOM_BYTES


def description(path: Path) -> str:
    """Return a clause that names the disk of a path, and says what it lacks."""
    path = _existing(path)
    name = f"the disk of {_mount_point(path)}"
    free = free_bytes(path)
    if free >= _ROOM_BYTES:
        return f"{name} is almost full ({free / _BYTES_PER_MB:.1f} MB are free)"
    status = os.statvfs(path)
    if status.f_bavail * status.f_frsize >= _ROOM_BYTES:
        return f"{name} has no room for more files (inodes)"
    return f"{name} is full ({total_bytes(path) // _BYTES_PER_MB} MB)"


def full(path: Path, failure: str) -> DiskFullError:
    """Return the error that something failed because the disk of a path is full.

    `failure` says what failed: "FILE cannot be written".
    """
    if has_room(path):
        # Nothing else shows that a quota is used up.
        name = f"the disk of {_mount_point(_existing(path))}"
        reason = f"{name} takes no more data, perhaps because of a quota or a limit"
    else:
        reason = description(path)
    return DiskFullError(f"{failure}: {reason}", _ADVICE)


def _mount_point(path: Path) -> Path:
    path = path.resolve()
    while not path.is_mount() and path != path.parent:
        path = path.parent
    return path


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
