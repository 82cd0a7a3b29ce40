"""Listings of folders: an unchanged folder is not looked at, and no change is missed."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml.project import (
    Snapshot,
    checkout,
    content,
    folder_times,
    folders,
    ignore,
    snapshot,
    walk,
)
from tests.folders import git, listing, write

_FILES: dict[str, str | bytes] = {
    "train.py": "one",
    "lib/model.py": "two",
    "lib/deep/layer.py": "three",
    "tools/run.sh": "four",
}


@pytest.fixture(autouse=True, params=["times prove it", "all are listed"])
def listed(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the paths of folders that a walk lists, as they are listed.

    Files and folders count as old at once, so the next snapshot need not compare them again.
    """
    monkeypatch.setattr(content, "_COARSE_NANOSECONDS", 0)
    monkeypatch.setattr(folder_times, "_COARSE_NANOSECONDS", 0)
    devices = [tmp_path.stat().st_dev] if request.param == "times prove it" else []
    monkeypatch.setattr(folder_times, "_devices", lambda: iter(devices))
    paths: list[str] = []
    entries = walk._entries

    def noting(tree: walk.Tree, folder: folders.Folder) -> list[os.DirEntry[bytes]]:
        paths.append(os.fsdecode(folder.path))
        return entries(tree, folder)

    monkeypatch.setattr(walk, "_entries", noting)
    return paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write(tmp_path / "project", _FILES)
    (folder / "link").symlink_to("train.py")
    (folder / "empty").mkdir()
    # A change in the same tick of the clock as the last one must have another time.
    for path in [folder, *filter(Path.is_dir, folder.rglob("*"))]:
        os.utime(path, (1e9, 1e9))
    return folder


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths of folders whose files a walk looks at, as they are visited."""
    paths: list[str] = []
    visit = walk._visit

    def noting(tree: walk.Tree, folder: folders.Folder, *others: object) -> None:
        paths.append(os.fsdecode(folder.path))
        visit(tree, folder, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(walk, "_visit", noting)
    return paths


def _take(folder: Path) -> Snapshot:
    return snapshot(folder, folder.parent / "store.git")


def _is_restored(folder: Path, taken: Snapshot) -> bool:
    code = folder.parent / taken.revision
    if not code.exists():
        checkout(folder.parent / "store.git", taken.revision, code)
    return listing(code) == listing(folder)


def test_unchanged_folders_are_not_looked_at(folder: Path, visited: list[str]) -> None:
    first = _take(folder)
    assert sorted(visited) == ["", "empty/", "lib/", "lib/deep/", "tools/"]
    visited.clear()
    assert _take(folder) == first
    assert visited == []
    write(folder, {"lib/deep/layer.py": "another"})
    changed = _take(folder)
    assert visited == ["lib/deep/"]
    assert changed.files == first.files
    assert changed.size == first.size + 2
    assert _is_restored(folder, changed)


def _rewrite_with_the_same_times(folder: Path) -> None:
    path = folder / "lib/model.py"
    before = path.stat()
    path.write_text("owt")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _retarget(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("lib/../a")


def _replace_by_a_folder(folder: Path) -> None:
    (folder / "lib/deep/layer.py").unlink()
    (folder / "lib/deep/layer.py").mkdir()


_CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: write(folder, {"lib/model.py": "2"}),
    "content of the same size and time": _rewrite_with_the_same_times,
    "a mode": lambda folder: (folder / "tools/run.sh").chmod(0o755),
    "the mode of a folder": lambda folder: (folder / "lib/deep").chmod(0o700),
    "a new file": lambda folder: write(folder, {"lib/deep/new.py": ""}),
    "a new folder": lambda folder: (folder / "lib/deep/new").mkdir(),
    "no file": lambda folder: (folder / "lib/model.py").unlink(),
    "no folder": lambda folder: (folder / "empty").rmdir(),
    "a name": lambda folder: (folder / "train.py").rename(folder / "main.py"),
    "the name of a folder": lambda folder: (folder / "lib").rename(folder / "src"),
    "a link": _retarget,
    "a kind": _replace_by_a_folder,
}


def test_folders_are_listed_if_their_times_prove_nothing(
    folder: Path, listed: list[str], request: pytest.FixtureRequest
) -> None:
    everything = ["", "empty/", "lib/", "lib/deep/", "tools/"]
    _take(folder)
    assert sorted(listed) == everything
    listed.clear()
    _take(folder)
    is_proved = "times prove it" in request.node.name
    assert sorted(listed) == ([] if is_proved else everything)
    write(folder, {"lib/model.py": "another", "tools/new.sh": ""})
    listed.clear()
    _take(folder)
    assert sorted(listed) == (["lib/", "tools/"] if is_proved else everything)


def test_a_folder_that_changed_a_moment_ago_is_listed(
    folder: Path, listed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_times, "_COARSE_NANOSECONDS", 60_000_000_000)
    _take(folder)
    listed.clear()
    _take(folder)
    assert len(listed) == 5


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_no_change_is_missed(folder: Path, change: Callable[[Path], object]) -> None:
    first = _take(folder)
    assert _take(folder) == first
    change(folder)
    changed = _take(folder)
    assert changed.revision != first.revision
    assert _is_restored(folder, changed)
    # What was kept for the next snapshot is that of the changed folder.
    assert _take(folder) == changed
    (folder / "another").write_text("5")
    last = _take(folder)
    assert _is_restored(folder, last)
    assert git("fsck", "--strict", at=folder.parent / "store.git") == ""


def test_rules_that_change_are_applied_to_unchanged_folders(folder: Path) -> None:
    first = _take(folder)
    (folder / ".gitignore").write_text("*.sh\n")
    without_scripts = _take(folder)
    assert (without_scripts.files, without_scripts.ignored) == (first.files, 1)
    # A line of the same length.
    (folder / ".gitignore").write_text("l*r*\n")
    without_layers = _take(folder)
    assert without_layers.ignored == 1
    assert without_layers.revision != without_scripts.revision
    (folder / ".risemlignore").write_text("!layer.py\n")
    assert _take(folder).ignored == 0
    assert snapshot(folder, folder.parent / "store.git", gitignore=False).ignored == 0


def test_rules_are_not_asked_about_unchanged_folders(
    folder: Path, visited: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "lib/a.log").write_text("excluded")
    first = _take(folder)
    assert [exclusion.path for exclusion in first.excluded] == ["lib/a.log"]
    visited.clear()
    asked: list[bytes] = []
    excluded_by = ignore.excluded_by

    def noting(
        chain: ignore.Chain, path: bytes, name: bytes, is_folder: bool
    ) -> ignore.Excluder | None:
        asked.append(path)
        return excluded_by(chain, path, name, is_folder)

    monkeypatch.setattr(ignore, "excluded_by", noting)
    # Every snapshot says what it leaves out.
    assert _take(folder) == first
    assert visited == ["lib/"]
    assert sorted(asked) == [b"lib/a.log", b"lib/deep", b"lib/model.py"]


def test_folders_that_do_not_belong_to_the_project_stay_out(folder: Path) -> None:
    store = folder.parent / "store.git"
    everything = snapshot(folder, store)
    without = snapshot(folder, store, without=[folder / "lib"])
    assert (everything.files, without.files) == (5, 3)
    assert snapshot(folder, store, without=[folder / "lib"]) == without
    assert snapshot(folder, store) == everything


def test_warnings_are_repeated(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(folder / "lib/socket"))
        first = _take(folder)
        assert "lib/socket" in first.warnings[0]
        assert _take(folder) == first


def test_unusual_modes_of_unchanged_folders_are_kept(folder: Path) -> None:
    (folder / "tools/run.sh").chmod(0o641)
    (folder / "lib/deep/.GIT").write_text("a name that Git refuses")
    _take(folder)
    write(folder, {"train.py": "changed"})
    taken = _take(folder)
    assert _is_restored(folder, taken)
    mode = (folder.parent / taken.revision / "tools/run.sh").stat().st_mode
    assert stat.S_IMODE(mode) == 0o641


def test_a_damaged_cache_is_not_used(folder: Path, visited: list[str]) -> None:
    first = _take(folder)
    (cache,) = (folder.parent / "store.git/riseml").glob("seen-*")
    data = bytearray(cache.read_bytes())
    for position in range(0, len(data), 97):
        visited.clear()
        data[position] ^= 1
        cache.write_bytes(data)
        data[position] ^= 1
        assert _take(folder) == first
        assert len(visited) == 5
