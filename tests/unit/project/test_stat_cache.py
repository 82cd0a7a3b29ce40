"""Cache of what the last snapshot saw: snapshots append what changed, and a lost end does no harm."""

import shutil
from pathlib import Path

import pytest

from riseml.project import Snapshot, checkout, content, folder_times, snapshot
from tests.folders import listing, write

_FOLDERS = 60


@pytest.fixture(autouse=True)
def old_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files and folders count as old at once, so that a snapshot need not compare them again."""
    monkeypatch.setattr(content, "_COARSE_NANOSECONDS", 0)
    monkeypatch.setattr(folder_times, "_COARSE_NANOSECONDS", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files: dict[str, str | bytes] = {}
    for number in range(_FOLDERS):
        files[f"lib/part_{number}/a.py"] = f"{number}"
    folder = write(tmp_path / "project", files)
    _take(folder)
    return folder


def _take(folder: Path) -> Snapshot:
    return snapshot(folder, folder.parent / "store.git")


def _cache(folder: Path) -> Path:
    (cache,) = (folder.parent / "store.git/riseml").glob("seen-*")
    return cache


def _is_restored(folder: Path, taken: Snapshot) -> bool:
    copy = folder.parent / taken.revision
    checkout(folder.parent / "store.git", taken.revision, copy)
    restored = listing(copy)
    shutil.rmtree(copy)
    return restored == listing(folder)


def test_a_snapshot_appends_what_changed(folder: Path) -> None:
    complete = _cache(folder).read_bytes()
    write(folder, {"lib/part_3/a.py": "changed"})
    taken = _take(folder)
    appended = _cache(folder).read_bytes()
    assert appended.startswith(complete)
    assert len(appended) < len(complete) * 1.2
    assert _take(folder) == taken
    assert _cache(folder).read_bytes() == appended
    assert _is_restored(folder, taken)


def test_new_and_removed_folders_are_appended(folder: Path) -> None:
    complete = _cache(folder).read_bytes()
    shutil.rmtree(folder / "lib/part_3")
    write(folder, {"lib/new/b.py": "new"})
    taken = _take(folder)
    assert _cache(folder).read_bytes().startswith(complete)
    assert _take(folder) == taken
    assert taken.files == _FOLDERS
    write(folder, {"lib/part_3/a.py": "3"})
    shutil.rmtree(folder / "lib/new")
    assert _is_restored(folder, _take(folder))


def test_many_changes_are_written_as_a_complete_state(folder: Path) -> None:
    sizes = []
    for number in range(40):
        write(folder, {"lib/part_3/a.py": f"changed {number}"})
        taken = _take(folder)
        sizes.append(_cache(folder).stat().st_size)
    assert max(sizes) <= min(sizes) * 1.3
    assert sizes != sorted(sizes)
    assert _is_restored(folder, taken)


def test_what_was_appended_may_be_lost(folder: Path) -> None:
    cache = _cache(folder)
    complete = len(cache.read_bytes())
    for number in (3, 4):
        write(folder, {f"lib/part_{number}/a.py": "changed"})
        taken = _take(folder)
    data = cache.read_bytes()
    for end in range(complete, len(data), 7):
        for lost in (data[:end], data[:end] + bytes(len(data) - end)):
            cache.write_bytes(lost)
            assert _take(folder).revision == taken.revision
    write(folder, {"lib/part_5/a.py": "changed"})
    assert _is_restored(folder, _take(folder))
