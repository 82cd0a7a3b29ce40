"""Overlays as this machine allows them, with and without root's rights."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from riseml.engines.local.jobs import mounts, overlays
from tests.local.jobs.test_mounts import NOBODY, USERS, inside

KERNEL_HAS_OVERLAYS = "overlay" in Path("/proc/filesystems").read_text()


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    folder.chmod(0o777)
    for name in ("output", "runs"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("user", USERS)
def test_the_best_options_are_found(place: Path, user: int | None) -> None:
    def find() -> bytes:
        return overlays.find_options(place / "output", place / "runs")

    options = inside(find, user, place)
    if not inside(mounts.supported, user, place) or not KERNEL_HAS_OVERLAYS:
        assert options == b""
        return
    expected = {None: b"redirect_dir=on,volatile", NOBODY: b"userxattr,volatile"}
    if os.geteuid() == 0:
        assert options == expected[user]
    # A user can remove what the trial has left.
    assert list((place / "output").iterdir()) == []
    assert list((place / "runs").iterdir()) == []


def test_an_overlay_cannot_hold_the_changes_of_another(place: Path) -> None:
    """A file system on which no overlay can stand gives no options."""

    def find() -> bytes:
        outer = place / "outer"
        for name in ("lower", "changes", "work"):
            (outer / name).mkdir(parents=True)
        target = os.fsencode(place / "output")
        work, lower = os.fsencode(outer / "work"), os.fsencode(outer / "lower")
        layers = {target: (b"userxattr", work, lower)}
        changes = os.fsencode(outer / "changes")
        mounts.enter([(changes, target, False)], (), layers)
        return overlays.find_options(place / "output", place / "runs")

    if not inside(mounts.supported, None, place) or not KERNEL_HAS_OVERLAYS:
        pytest.skip("this machine has no overlays")
    # Changes and work directories are on different file systems here.
    assert inside(find, None, place) == b""


def test_other_systems_have_no_overlays(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert overlays.find_options(place / "output", place / "runs") == b""
