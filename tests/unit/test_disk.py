"""Free space of disks, and errors that name them."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from riseml import disk

_FULL = {"f_bavail": 0}
_WITHOUT_INODES = {"f_bavail": 1000, "f_favail": 0}
_ALMOST_FULL = {"f_bavail": 300}
_FREE = {"f_bavail": 1000}


@pytest.fixture
def statvfs(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return the figures that the system gives for every disk; 4 MB, all free."""
    figures = {
        "f_bavail": 1000,
        "f_favail": 10,
        "f_files": 10,
        "f_blocks": 1000,
        "f_frsize": 4096,
    }

    class Figures:
        def __getattr__(self, name: str) -> int:
            return figures[name]

    monkeypatch.setattr(os, "statvfs", lambda _: Figures())
    return figures


@pytest.mark.parametrize(
    ("code", "is_full"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)],
)
def test_errors_of_full_disks(code: int, *, is_full: bool) -> None:
    assert disk.means_full(OSError(code, os.strerror(code))) is is_full


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        (_FULL, "is full (4 MB)"),
        (_WITHOUT_INODES, "has no room for more files (inodes)"),
        (_FREE, "takes no more data, perhaps because of a quota or a limit"),
    ],
)
def test_the_error_names_the_disk(
    statvfs: dict[str, int], figures: dict[str, int], reason: str, tmp_path: Path
) -> None:
    statvfs.update(figures)
    mount_point = tmp_path
    while not mount_point.is_mount():
        mount_point = mount_point.parent
    error = disk.full(tmp_path / "new" / "file", "it cannot be written")
    assert str(error) == f"it cannot be written: the disk of {mount_point} {reason}"
    assert "riseml delete ID" in error.advice


def test_an_almost_full_disk_is_described_with_what_is_free(
    statvfs: dict[str, int], tmp_path: Path
) -> None:
    statvfs.update(_ALMOST_FULL)
    assert disk.description(tmp_path).endswith("is almost full (1.2 MB are free)")


def test_a_disk_without_inodes_has_no_free_bytes(
    statvfs: dict[str, int], tmp_path: Path
) -> None:
    assert disk.free_bytes(tmp_path) == 4096 * 1000
    statvfs.update(_WITHOUT_INODES)
    assert disk.free_bytes(tmp_path) == 0
    # Btrfs, for instance, does not count files.
    statvfs.update(f_files=0)
    assert disk.free_bytes(tmp_path) == 4096 * 1000


def test_the_disk_of_a_missing_folder_is_that_above_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths: list[Any] = []
    real = os.statvfs

    def statvfs(path: Path) -> os.statvfs_result:
        paths.append(path)
        return real(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    disk.total_bytes(tmp_path / "missing" / "deeper")
    assert paths == [tmp_path]
