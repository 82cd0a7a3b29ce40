"""Reserve of a home: a file whose space is given up, slice by slice, when the disk is full.

    controller starts, disk has space ──▶ fill ──▶ <home>/reserve
    disk is full ──▶ give_up ──▶ the database has space for a few more changes

Jobs may take the space of a slice at once, so there are several. The last ones are for
requests that help: a kill, a deletion, and the start of a controller.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from riseml import disk
from riseml.errors import DiskFullError

_Result = TypeVar("_Result")

_MAX_BYTES = 8 << 20
# A reserve takes this share of a small disk.
_SHARE = 16
_SLICES = 8
_LAST_SLICES = 4
_SMALLEST_SLICE_BYTES = 1 << 16
# What a few experiments need to start.
_AMPLE_BYTES = 2 << 20


def fill(home: Path) -> None:
    """Reserve as much space as the disk allows; what cannot be reserved is left out."""
    file = _file(home)
    try:
        size = file.stat().st_size if file.exists() else 0
        target = min(_MAX_BYTES, (disk.free_bytes(home) + size) // _SHARE)
        if target >= size + _SMALLEST_SLICE_BYTES:
            _allocate(file, size, target)
    except OSError:
        # The disk is full, or the system does not allow it.
        return


def spend(home: Path, action: Callable[[], _Result], *, last: bool) -> _Result:
    """Call an action, again after each slice that is given up for it.

    With `last`, the action may use the slices that others leave.

    Raises:
        DiskFullError: the disk is full, and the reserve is used up.
    """
    while True:
        try:
            return action()
        except DiskFullError:
            if not give_up(home, last=last):
                raise


def give_up(home: Path, *, last: bool) -> bool:
    """Free a slice of the reserve; return False if there is none.

    Without `last`, the last slices stay.
    """
    file = _file(home)
    try:
        size = file.stat().st_size
        slice_ = max(_limit(home) // _SLICES, _SMALLEST_SLICE_BYTES)
        is_last = size <= slice_ * _LAST_SLICES
        if not size or (is_last and not last):
            return False
        os.truncate(file, max(0, size - slice_))
    except OSError:
        return False
    return True


def is_needed(home: Path) -> bool:
    """Return whether so little space is free that nothing new may take it."""
    return disk.free_bytes(home) < min(_AMPLE_BYTES, _limit(home))


def _limit(home: Path) -> int:
    """Return the size of the largest reserve on the disk of a home."""
    return min(_MAX_BYTES, disk.total_bytes(home) // _SHARE)


def _file(home: Path) -> Path:
    return home / "reserve"


def _allocate(file: Path, size: int, target: int) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, size, target - size)
        else:
            os.pwrite(descriptor, bytes(target - size), size)
    except OSError:
        os.truncate(descriptor, size)
        raise
    finally:
        os.close(descriptor)
