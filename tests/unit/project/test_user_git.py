"""State of the user's repository: what Git says of it, without any change to it and without its commands."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml.plan import GitState
from riseml.project import user_git
from tests.folders import git, listing, write


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return a working tree with one commit on the branch `main`."""
    top = tmp_path / "tree"
    git("init", "-q", "-b", "main", str(top), at=_made(tmp_path))
    write(top, {"train.py": "print(1)\n", "sub/deep/a.py": "a\n", "other/b.py": "b\n"})
    (top / "tool").symlink_to("train.py")
    git("add", ".", at=top)
    git("commit", "-q", "-m", "first", at=top)
    _age(top)
    git("update-index", "--refresh", at=top)
    return top


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _age(top: Path) -> None:
    """Let files be older than the index, as they are in a tree that is not just being edited."""
    for file in top.rglob("*"):
        if ".git" not in file.parts:
            os.utime(file, (1_500_000_000, 1_500_000_000), follow_symlinks=False)


def _commit(top: Path) -> str:
    return git("rev-parse", "HEAD", at=top).strip()


def test_a_clean_tree(top: Path) -> None:
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)
    # A project in a subfolder has the same commit.
    assert user_git.read(top / "sub") == GitState(_commit(top), "main", dirty=False)


def _edit(top: Path) -> None:
    (top / "train.py").write_text("print(2)\n")


def _lengthen(top: Path) -> None:
    (top / "sub/deep/a.py").write_text("longer\n")


def _delete(top: Path) -> None:
    (top / "other/b.py").unlink()


def _make_executable(top: Path) -> None:
    (top / "train.py").chmod(0o755)


def _stage(top: Path) -> None:
    (top / "train.py").write_text("print(2)\n")
    git("add", ".", at=top)
    _age(top)
    git("update-index", "--refresh", at=top)


def _stage_and_know_the_tree(top: Path) -> None:
    _stage(top)
    git("write-tree", at=top)


def _plan_to_add(top: Path) -> None:
    (top / "new.py").write_text("")
    git("add", "--intent-to-add", "new.py", at=top)


def _relink(top: Path) -> None:
    (top / "tool").unlink()
    (top / "tool").symlink_to("other/b.")


def _replace_by_folder(top: Path) -> None:
    (top / "other/b.py").unlink()
    (top / "other/b.py").mkdir()


def _edit_within_the_same_moment(top: Path) -> None:
    file = top / "train.py"
    os.utime(file)
    git("add", "train.py", at=top)
    status = file.stat()
    file.write_text("print(2)\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    # Both are of the same moment, as on a file system with coarse times.
    os.utime(top / ".git/index", ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        _edit,
        _lengthen,
        _delete,
        _make_executable,
        _stage,
        _stage_and_know_the_tree,
        _plan_to_add,
        _relink,
        _replace_by_folder,
        _edit_within_the_same_moment,
    ],
)
@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_a_changed_tree(
    top: Path, change: Callable[[Path], None], version: str
) -> None:
    git("update-index", "--index-version", version, at=top)
    change(top)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=True)


def _touch(top: Path) -> None:
    os.utime(top / "train.py")


def _rewrite(top: Path) -> None:
    (top / "train.py").write_text("print(1)\n")


def _repack(top: Path) -> None:
    git("gc", "-q", at=top)


def _invalidate_the_tree(top: Path) -> None:
    (top / "new.py").write_text("")
    git("add", "new.py", at=top)
    git("rm", "-q", "--cached", "new.py", at=top)


def _leave_untracked(top: Path) -> None:
    (top / "new.py").write_text("")


def _ignore_modes(top: Path) -> None:
    git("config", "core.fileMode", "false", at=top)
    (top / "train.py").chmod(0o755)


def _assume(top: Path) -> None:
    git("update-index", "--assume-unchanged", "train.py", at=top)
    (top / "train.py").write_text("print(2)\n")


def _skip(top: Path) -> None:
    git("update-index", "--skip-worktree", "train.py", at=top)
    (top / "train.py").unlink()


@pytest.mark.parametrize(
    "change",
    [
        _touch,
        _rewrite,
        _repack,
        _invalidate_the_tree,
        _leave_untracked,
        _ignore_modes,
        _assume,
        _skip,
    ],
)
def test_what_git_does_not_count_as_a_change(
    top: Path, change: Callable[[Path], None]
) -> None:
    change(top)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)


def test_only_the_projects_own_files_count(top: Path) -> None:
    (top / "other/b.py").write_text("changed\n")
    git("add", ".", at=top)
    state = user_git.read(top / "sub")
    assert state is not None
    assert state.dirty is False
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=True)


def test_detached_and_packed(top: Path) -> None:
    first = _commit(top)
    git("checkout", "-q", "-b", "topic/a", at=top)
    git("pack-refs", "--all", at=top)
    assert user_git.read(top) == GitState(first, "topic/a", dirty=False)
    git("checkout", "-q", "--detach", at=top)
    assert user_git.read(top) == GitState(first, "", dirty=False)


def test_a_worktree_has_its_own_branch(top: Path, tmp_path: Path) -> None:
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"), at=top)
    side = tmp_path / "side"
    write(side, {"train.py": "print(3)\n"})
    git("commit", "-q", "-a", "-m", "second", at=side)
    assert _commit(side) != _commit(top)
    assert user_git.read(side) == GitState(_commit(side), "side", dirty=False)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)


def test_submodules(top: Path, tmp_path: Path) -> None:
    module = tmp_path / "module"
    shutil.copytree(top, module)
    add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q", str(module)]
    git(*add, "inner", at=top)
    git("commit", "-q", "-m", "with a module", at=top)
    inner = top / "inner"
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)
    # A project in a submodule belongs to that one.
    assert user_git.read(inner) == GitState(_commit(module), "main", dirty=False)
    write(inner, {"train.py": "print(4)\n"})
    git("commit", "-q", "-a", "-m", "inner", at=inner)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=True)
    shutil.rmtree(inner)
    inner.mkdir()
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)


def test_sha256(tmp_path: Path) -> None:
    top = _made(tmp_path / "sha256")
    git("init", "-q", "--object-format=sha256", "-b", "main", at=top)
    write(top, {"a.py": "a\n"})
    git("add", ".", at=top)
    git("commit", "-q", "-m", "first", at=top)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)
    write(top, {"a.py": "b\n"})
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=True)


def test_a_conflict_is_a_change(top: Path) -> None:
    git("checkout", "-q", "-b", "other", at=top)
    write(top, {"train.py": "print('other')\n"})
    git("commit", "-q", "-a", "-m", "other", at=top)
    git("checkout", "-q", "main", at=top)
    write(top, {"train.py": "print('main')\n"})
    git("commit", "-q", "-a", "-m", "main", at=top)
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "other", at=top)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=True)


def test_a_split_index_is_left_to_git(top: Path) -> None:
    git("update-index", "--split-index", at=top)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=None)


def test_nothing_is_known_of_folders_that_no_commit_has(
    top: Path, tmp_path: Path
) -> None:
    assert user_git.read(tmp_path) is None
    assert user_git.read(_made(top / "untracked")) is None
    empty = _made(tmp_path / "empty")
    git("init", "-q", at=empty)
    assert user_git.read(empty) is None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".git/HEAD", b""),
        (".git/HEAD", b"\xff\0"),
        (".git/HEAD", b"ref: refs/heads/main/../../x\n"),
        (".git/refs/heads/main", b"x" * 41),
        (".git", b"gitdir: /nowhere\n"),
        (".git", b""),
    ],
)
def test_a_broken_repository_is_no_error(top: Path, file: str, content: bytes) -> None:
    path = top / file
    if path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(content)
    assert user_git.read(top) is None


@pytest.mark.parametrize("content", [b"", b"DIRC", b"DIRC\0\0\0\2\0\0\0\7short", None])
def test_a_broken_index_leaves_the_commit(top: Path, content: bytes | None) -> None:
    index = top / ".git/index"
    index.unlink()
    if content is not None:
        index.write_bytes(content)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=None)


def test_a_pipe_in_the_repository_does_not_block(top: Path) -> None:
    (top / ".git/HEAD").unlink()
    os.mkfifo(top / ".git/HEAD")
    assert user_git.read(top) is None


def test_nothing_is_executed_or_written(top: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    for name in ("core.fsmonitor", "filter.x.clean", "filter.x.process"):
        git("config", name, str(script), at=top)
    for name in ("diff.external", "core.pager", "core.sshCommand"):
        git("config", name, str(script), at=top)
    for hook in ("post-index-change", "pre-commit", "fsmonitor-watchman"):
        shutil.copy(script, top / ".git/hooks" / hook)
    write(top, {".git/info/attributes": "* filter=x diff=x\n"})
    # The content has to be compared, and the tree of the index is not known.
    _touch(top)
    _invalidate(top)
    mark.unlink(missing_ok=True)
    before = listing(top)
    times = {file: file.stat().st_mtime_ns for file in (top / ".git").rglob("*")}
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)
    assert listing(top) == before
    assert {file: file.stat().st_mtime_ns for file in times} == times
    assert not mark.exists()
    # Only Git's filter could tell whether this is a change.
    write(top, {"train.py": "print(2)\n"})
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=None)
    assert not mark.exists()


def _invalidate(top: Path) -> None:
    """Let the index not know its tree, with Git's plumbing that runs no filter."""
    blob = git("rev-parse", "HEAD:train.py", at=top).strip()
    entry = f"100644,{blob},new.py"
    git("update-index", "--add", "--cacheinfo", entry, at=top)
    git("update-index", "--force-remove", "new.py", at=top)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_safe_directory_decides_about_other_users_repositories(
    top: Path, tmp_path: Path
) -> None:
    for path in (top, top / ".git"):
        os.chown(path, 12_345, 12_345)
    assert user_git.read(top) is None
    write(tmp_path / "user", {".gitconfig": f"[safe]\n\tdirectory = {top}\n"})
    commit = git("rev-parse", "HEAD", at=top).strip()
    assert user_git.read(top) == GitState(commit, "main", dirty=False)


def test_git_may_be_missing(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    commit = (top / ".git/refs/heads/main").read_text().strip()
    assert user_git.read(top) == GitState(commit, "main", dirty=False)


def test_variables_of_a_hook_are_about_another_command(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _repack(top)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=False)


def test_a_large_tree_is_not_compared_forever(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", iter(range(1_000)).__next__)
    assert user_git.read(top) == GitState(_commit(top), "main", dirty=None)
