"""Large files of snapshots: stored once, and never changed by anybody."""

import errno
import filecmp
import os
import shutil
from pathlib import Path

import pytest

from riseml.errors import HomeError
from riseml.project import (
    block_copy,
    checkout,
    prune,
    repository_of,
    revision_files,
    snapshot,
    tidy,
)
from riseml.project.folders import LARGE_BYTES
from riseml.project.revision_diff import StoredRevision, compare
from tests.folders import git, listing, write

_CONTENT = os.urandom(LARGE_BYTES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with large files of unusual names and modes."""
    folder = tmp_path / "project"
    (folder / "data" / "only large").mkdir(parents=True)
    (folder / "train.py").write_text("print(1)\n")
    (folder / "weights.bin").write_bytes(_CONTENT)
    (folder / "data/only large" / os.fsdecode(b"a \xff\n\\.bin")).write_bytes(_CONTENT)
    (folder / "data/.GIT").write_bytes(_CONTENT + b"2")
    (folder / "data/private").write_bytes(_CONTENT)
    (folder / "data/private").chmod(0o440)
    (folder / "tool").write_bytes(b"#!/bin/sh\n" + _CONTENT)
    (folder / "tool").chmod(0o755)
    (folder / "link").symlink_to("weights.bin")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def _snapshot(folder: Path, home: Path, *, split: bool = True) -> str:
    return snapshot(folder, repository_of("p", home), split=split).revision


def _stored(home: Path) -> list[Path]:
    return sorted((repository_of("p", home) / "riseml" / "files").iterdir())


@pytest.mark.parametrize("link", [True, False])
def test_a_checkout_gives_what_was_in_the_folder(
    folder: Path, home: Path, tmp_path: Path, link: bool
) -> None:
    revision = _snapshot(folder, home)
    checkout(repository_of("p", home), revision, tmp_path / "code", link=link)
    assert listing(tmp_path / "code") == listing(folder)
    inodes = {path.stat().st_ino for path in _stored(home)}
    assert ((tmp_path / "code/weights.bin").stat().st_ino in inodes) is link


def test_a_file_is_stored_once(folder: Path, home: Path, tmp_path: Path) -> None:
    revision = _snapshot(folder, home)
    code = home / "code"
    checkout(repository_of("p", home), revision, code, link=True)
    # The content of three files is the same, but one has another mode.
    assert len(_stored(home)) == 4
    seen = {}
    for path in home.rglob("*"):
        status = path.lstat()
        seen[status.st_ino] = status.st_blocks * 512
    assert sum(seen.values()) < 4.5 * LARGE_BYTES


def test_changes_of_the_users_file_do_not_reach_the_stored_one(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    revision = _snapshot(folder, home)
    with (folder / "weights.bin").open("r+b") as file:
        file.write(b"changed")
    changed = _snapshot(folder, home)
    assert changed != revision
    for number, content in ((revision, _CONTENT), (changed, b"changed" + _CONTENT[7:])):
        code = tmp_path / number
        checkout(repository_of("p", home), number, code, link=True)
        assert (code / "weights.bin").read_bytes() == content


def test_changes_of_a_copy_do_not_reach_the_stored_file(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    revision = _snapshot(folder, home)
    checkout(repository_of("p", home), revision, tmp_path / "code")
    (tmp_path / "code/weights.bin").write_bytes(b"changed")
    assert all(path.stat().st_size >= LARGE_BYTES for path in _stored(home))


def test_an_unchanged_folder_has_the_same_revision(folder: Path, home: Path) -> None:
    revision = _snapshot(folder, home)
    inodes = [path.stat().st_ino for path in _stored(home)]
    assert _snapshot(folder, home) == revision
    assert [path.stat().st_ino for path in _stored(home)] == inodes


def test_engines_with_a_cluster_keep_everything_in_git(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    """They push from the same repository, in any order."""
    split = _snapshot(folder, home)
    complete = _snapshot(folder, home, split=False)
    assert complete != split
    assert _snapshot(folder, home) == split
    repository = repository_of("p", home)
    assert "weights.bin" in git("ls-tree", "--name-only", complete, at=repository)
    assert "weights.bin" not in git("ls-tree", "--name-only", split, at=repository)
    git("fsck", "--strict", at=repository)
    checkout(repository, complete, tmp_path / "code")
    assert listing(tmp_path / "code") == listing(folder)


def test_a_build_depends_on_the_same_digests(folder: Path, home: Path) -> None:
    split = _snapshot(folder, home)
    complete = _snapshot(folder, home, split=False)
    expected = revision_files.contents(home, "p", complete)
    # Git refuses this name, and stores the file under another one.
    renamed = [path for path in expected if path.startswith("data/riseml~")]
    expected["data/.GIT"] = expected.pop(renamed[0])
    assert revision_files.contents(home, "p", split) == expected
    files = revision_files.project_files(home, "p", split)
    assert files.read("tool").startswith("#!/bin/sh\n")
    assert files.read("train.py") == "print(1)\n"


def test_prune_removes_what_no_kept_revision_has(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    _snapshot(folder, home)
    (folder / "weights.bin").write_bytes(_CONTENT + b"new")
    (folder / "tool").unlink()
    kept = _snapshot(folder, home)
    assert len(_stored(home)) == 5
    prune(repository_of("p", home), [kept])
    assert len(_stored(home)) == 4
    checkout(repository_of("p", home), kept, tmp_path / "code", link=True)
    assert listing(tmp_path / "code") == listing(folder)
    prune(repository_of("p", home), [])
    assert _stored(home) == []


def test_a_file_that_a_power_cut_has_shortened_is_stored_again(
    folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from riseml.project import stat_cache  # noqa: PLC0415

    revision = _snapshot(folder, home)
    for path in _stored(home):
        os.truncate(path, 0)
    monkeypatch.setattr(stat_cache, "_boot", lambda: b"another")
    assert _snapshot(folder, home) == revision
    checkout(repository_of("p", home), revision, tmp_path / "code", link=True)
    assert listing(tmp_path / "code") == listing(folder)


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every large file be a very large one."""
    monkeypatch.setattr(block_copy, "MIN_BYTES", LARGE_BYTES)


@pytest.mark.usefixtures("blocks")
def test_very_large_files_have_ids_of_their_blocks(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    revision = _snapshot(folder, home)
    assert {len(path.name) for path in _stored(home)} == {len("-0644") + 64}
    checkout(repository_of("p", home), revision, tmp_path / "code", link=True)
    assert listing(tmp_path / "code") == listing(folder)
    # The same content has the same revision, wherever it is.
    copy = shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    inodes = [path.stat().st_ino for path in _stored(home)]
    assert _snapshot(copy, home) == revision
    assert [path.stat().st_ino for path in _stored(home)] == inodes
    with (folder / "weights.bin").open("r+b") as file:
        file.write(b"new")
    assert _snapshot(folder, home) != revision


def test_ids_of_an_earlier_version_are_compared_by_content(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = repository_of("p", home)
    old = StoredRevision(store, _snapshot(folder, home))
    monkeypatch.setattr(block_copy, "MIN_BYTES", LARGE_BYTES)
    for path in (store / "riseml").glob("seen-*"):
        path.unlink()
    (folder / "tool").chmod(0o700)
    with (folder / "weights.bin").open("r+b") as file:
        file.write(b"new")
    new = StoredRevision(store, _snapshot(folder, home))
    changes = [change.path for change in compare(old, new).files]
    assert changes == ["tool", "weights.bin"]

    def refuse(*_: object, **__: object) -> bool:
        raise PermissionError

    # Files that cannot be compared count as different.
    with monkeypatch.context() as patch:
        patch.setattr(filecmp, "cmp", refuse)
        assert len(compare(old, new).files) > len(changes)
    checkout(store, old.revision, home / "code")
    assert (home / "code/weights.bin").read_bytes() == _CONTENT


@pytest.mark.parametrize("least", [LARGE_BYTES, 1 << 30], ids=["blocks", "one digest"])
def test_a_full_disk_leaves_no_unfinished_file(
    folder: Path, home: Path, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(block_copy, "MIN_BYTES", least)
    _snapshot(write(folder.parent / "small", {"a": "1"}), home)
    with monkeypatch.context() as patch:
        for name in ("pwrite", "write", "sendfile"):
            patch.setattr(os, name, full)
        with pytest.raises(HomeError):
            _snapshot(folder, home)
    private = repository_of("p", home) / "riseml"
    assert not list(private.glob("unfinished-*"))
    _snapshot(folder, home)


def test_what_a_killed_writer_left_is_pruned(folder: Path, home: Path) -> None:
    _snapshot(folder, home)
    private = repository_of("p", home) / "riseml"
    (private / "unfinished-large").write_bytes(_CONTENT)
    tidy(home)
    assert not list(private.glob("unfinished-*"))


def test_small_files_are_in_git(tmp_path: Path, home: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/small").write_bytes(_CONTENT[:-1])
    _snapshot(tmp_path / "project", home)
    assert not (repository_of("p", home) / "riseml" / "files").exists()
