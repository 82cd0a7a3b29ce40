"""Times of folders, where they tell that a folder need not be listed again.

A file system of this machine changes the times of a folder with every name that appears in it or
disappears. Others, such as those of networks, may not, so there every folder is listed.
"""

import os
import time
from collections.abc import Iterator

Times = tuple[int, ...]
"""Device, inode, and the nanoseconds of both times of a folder; empty if they prove nothing."""

_FILE_SYSTEMS = frozenset({"ext2", "ext3", "ext4", "xfs", "f2fs", "tmpfs"})
_MOUNTS = "/proc/self/mountinfo"
# Its fields before the mark: two ids, the device, and more.
_DEVICE = 2
_MARK = " - "
# A folder that changed so shortly before may change again without another time.
_COARSE_NANOSECONDS = 2_000_000_000


class FolderTimes:
    """Reader of the times of folders during one walk."""

    def __init__(self) -> None:
        self._devices = frozenset(_devices())
        self._newest = time.time_ns() - _COARSE_NANOSECONDS

    def of(self, status: os.stat_result) -> Times:
        """Return the times of a folder, given its lstat."""
        written, changed = status.st_mtime_ns, status.st_ctime_ns
        if status.st_dev not in self._devices or max(written, changed) >= self._newest:
            return ()
        return status.st_dev, status.st_ino, written, changed


def _devices() -> Iterator[int]:
    """Yield the devices of mounted file systems whose folders have reliable times."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="replace") as lines:
            mounts = lines.readlines()
    except OSError:
        return
    for mount in mounts:
        fields, _, source = mount.partition(_MARK)
        if source.split(" ", 1)[0] in _FILE_SYSTEMS:
            major, _, minor = fields.split()[_DEVICE].partition(":")
            yield os.makedev(int(major), int(minor))
