"""Differences of revisions: which files changed, and a patch that Git can apply."""

import os
from pathlib import Path

import pytest

from riseml.errors import ProjectError
from riseml.project import checkout, repository_of, snapshot, user_git
from riseml.project.folders import LARGE_BYTES
from riseml.project.revision_diff import (
    FileChange,
    StoredRevision,
    compare,
    patch_since,
)
from tests.folders import git, write


def _stored(folder: Path, home: Path, project: str = "p") -> StoredRevision:
    repository = repository_of(project, home)
    return StoredRevision(repository, snapshot(folder, repository, split=True).revision)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path / "project",
        {
            "train.py": "one\ntwo\nthree\n",
            "gone.txt": "gone\n",
            "sub/über.py": "a\nb\nc\nd\n",
            "data.bin": b"\0\1",
            "weights.bin": os.urandom(LARGE_BYTES),
        },
    )


def _change(folder: Path) -> None:
    (folder / "gone.txt").unlink()
    (folder / "sub/über.py").rename(folder / "sub/unter.py")
    write(folder, {"train.py": "one\n2\nthree\nfour\n", "data.bin": b"\0\2"})
    write(folder, {"new.py": "n\n", "weights.bin": os.urandom(LARGE_BYTES)})


@pytest.mark.parametrize("project", ["p", "another"])
def test_all_kinds_of_changes(folder: Path, tmp_path: Path, project: str) -> None:
    old = _stored(folder, tmp_path / "home")
    _change(folder)
    new = _stored(folder, tmp_path / "home", project)
    difference = compare(old, new)
    assert (difference.old, difference.new) == (old.revision, new.revision)
    assert difference.files == (
        FileChange("data.bin", None, None),
        FileChange("gone.txt", 0, 1),
        FileChange("new.py", 1, 0),
        FileChange("sub/unter.py", 0, 0, "sub/über.py"),
        FileChange("train.py", 2, 1),
        FileChange("weights.bin", None, None),
    )
    assert "-two\n+2\n three\n+four\n" in difference.patch
    assert "Binary files a/weights.bin and b/weights.bin differ\n" in difference.patch
    assert "rename from sub/über.py\n" in difference.patch


def test_the_same_revision_has_no_difference(folder: Path, tmp_path: Path) -> None:
    stored = _stored(folder, tmp_path / "home")
    difference = compare(stored, stored)
    assert (difference.files, difference.patch) == ((), "")


def test_a_patch_of_texts_can_be_applied(folder: Path, tmp_path: Path) -> None:
    old = _stored(folder, tmp_path / "home")
    write(folder, {"train.py": "one\n2\nthree\n", "new/file.py": "new\n"})
    patch = compare(old, _stored(folder, tmp_path / "home")).patch
    copy = tmp_path / "copy"
    checkout(old.repository, old.revision, copy)
    (tmp_path / "patch").write_text(patch)
    git("apply", str(tmp_path / "patch"), at=copy)
    assert (copy / "train.py").read_text() == "one\n2\nthree\n"
    assert (copy / "new/file.py").read_text() == "new\n"


def test_the_users_settings_do_not_matter(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _stored(folder, tmp_path / "home")
    write(folder, {".gitattributes": "*.py diff=x\n", "train.py": "two\n"})
    config = "[diff]\n\texternal = false\n\tnoprefix = true\n[color]\n\tui = always\n"
    write(tmp_path, {".gitconfig": config + '[diff "x"]\n\ttextconv = false\n'})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    patch = compare(old, _stored(folder, tmp_path / "home")).patch
    assert "--- a/train.py\n+++ b/train.py\n" in patch


def test_a_removed_revision_is_an_error(folder: Path, tmp_path: Path) -> None:
    old = _stored(folder, tmp_path / "home")
    with pytest.raises(ProjectError):
        compare(old, StoredRevision(old.repository, "0" * 40))


def test_a_patch_since_the_users_commit(tmp_path: Path) -> None:
    top = write(
        tmp_path / "tree",
        {
            "other/a.py": "a\n",
            "lab/train.py": "one\ntwo\n",
            "lab/riseml.yml": "project: lab\n",
            "lab/gone.txt": "gone\n",
        },
    )
    git("init", "-q", "-b", "main", at=top)
    git("add", ".", at=top)
    git("commit", "-q", "-m", "first", at=top)
    commit = git("rev-parse", "HEAD", at=top).strip()
    before = sorted(path for path in (top / ".git").rglob("*"))
    write(top, {"lab/train.py": "one\n2\n", "lab/new.py": "n\n", "other/a.py": "b\n"})
    (top / "lab/gone.txt").unlink()
    committed = user_git.committed(top / "lab", commit)
    assert committed is not None
    stored = _stored(top / "lab", tmp_path / "home")
    patch = patch_since(committed, stored)
    changed = [line for line in patch.splitlines() if line.startswith("diff")]
    assert changed == [
        "diff --git a/gone.txt b/gone.txt",
        "diff --git a/new.py b/new.py",
        "diff --git a/train.py b/train.py",
    ]
    assert "-two\n+2\n" in patch
    # Nothing was written to the user's repository.
    assert sorted(path for path in (top / ".git").rglob("*")) == before
    unknown = user_git.committed(top / "lab", "0" * 40)
    assert unknown is not None
    with pytest.raises(ProjectError, match="the code cannot be compared"):
        patch_since(unknown, stored)
    assert user_git.committed(tmp_path, commit) is None
