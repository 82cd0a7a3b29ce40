"""Times of folders: which file systems keep them, as the system's table of mounts says."""

import os
import time
from pathlib import Path

import pytest

from riseml.project import folder_times

_MOUNTS = r"""21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 21 0:23 / /dev/shm rw,nosuid shared:5 - tmpfs tmpfs rw
31 21 0:40 / /mnt/with\040blank rw - nfs4 server:/ rw,vers=4.2
32 21 8:17 / /media/stick rw - vfat /dev/sdb1 rw
33 21 0:41 / /mnt/remote rw - fuse.sshfs me@host: rw
34 21 259:3 / /data rw,noatime shared:9 master:2 - xfs /dev/nvme0n1p3 rw
"""


def test_only_file_systems_of_this_machine_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(_MOUNTS)
    monkeypatch.setattr(folder_times, "_MOUNTS", os.fspath(mounts))
    devices = [(254, 0), (0, 23), (259, 3)]
    assert list(folder_times._devices()) == [os.makedev(*pair) for pair in devices]


def test_nothing_is_trusted_where_the_table_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_times, "_MOUNTS", os.fspath(tmp_path / "none"))
    assert folder_times.FolderTimes().of(tmp_path.stat()) == ()


def test_times_prove_nothing_before_they_are_two_seconds_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = tmp_path.stat()
    monkeypatch.setattr(folder_times, "_devices", lambda: iter([status.st_dev]))
    now = status.st_ctime_ns
    expected = (status.st_dev, status.st_ino, status.st_mtime_ns, now)
    for age, times in ((1_900_000_000, ()), (2_100_000_000, expected), (-1, ())):
        monkeypatch.setattr(time, "time_ns", lambda age=age: now + age)
        assert folder_times.FolderTimes().of(status) == times
