"""Reserve of a home, given up when the disk is full."""

from pathlib import Path

import pytest

from riseml import disk
from riseml.engines.local import reserve
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.store import Store
from riseml.errors import DiskFullError
from tests.full_disks import no_space

MB = 1 << 20


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the reserve of a home whose disk has 64 MB, all free."""
    monkeypatch.setattr(disk, "free_bytes", lambda _: 64 * MB)
    monkeypatch.setattr(disk, "total_bytes", lambda _: 64 * MB)
    return tmp_path / "reserve"


def test_a_reserve_takes_a_share_of_the_free_space(file: Path) -> None:
    reserve.fill(file.parent)
    assert file.stat().st_size == 4 * MB
    # Its blocks are taken, and it is private.
    assert file.stat().st_blocks * 512 >= 4 * MB
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_reserve_of_a_large_disk_is_small(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda _: 1000 * MB)
    reserve.fill(file.parent)
    assert file.stat().st_size == 8 * MB


def test_a_full_disk_gets_no_reserve(file: Path) -> None:
    with no_space():
        reserve.fill(file.parent)
    assert file.stat().st_size == 0


def test_ordinary_changes_leave_half_for_those_that_help(file: Path) -> None:
    reserve.fill(file.parent)
    sizes = []
    while reserve.give_up(file.parent, last=False):
        sizes.append(file.stat().st_size)
    assert sizes == [3.5 * MB, 3 * MB, 2.5 * MB, 2 * MB]
    while reserve.give_up(file.parent, last=True):
        sizes.append(file.stat().st_size)
    assert sizes[4:] == [1.5 * MB, 1 * MB, 0.5 * MB, 0]
    reserve.fill(file.parent)
    assert file.stat().st_size == 4 * MB


def test_a_home_without_reserve_has_nothing_to_give_up(file: Path) -> None:
    assert not reserve.give_up(file.parent, last=True)


def test_an_action_is_repeated_until_it_has_space(file: Path) -> None:
    reserve.fill(file.parent)
    sizes = []

    def need_three_slices() -> str:
        sizes.append(file.stat().st_size)
        if file.stat().st_size > 2.5 * MB:
            raise DiskFullError("full")
        return "done"

    assert reserve.spend(file.parent, need_three_slices, last=False) == "done"
    assert sizes == [4 * MB, 3.5 * MB, 3 * MB, 2.5 * MB]


def test_an_action_fails_when_the_reserve_is_used_up(file: Path) -> None:
    store = Store.create(file.parent, COLUMNS)

    def write() -> None:
        with store.transaction():
            store.first("x" * 100_000)

    reserve.fill(file.parent)
    with no_space(), pytest.raises(DiskFullError, match="the disk of"):
        reserve.spend(file.parent, write, last=True)
    assert file.stat().st_size == 0
