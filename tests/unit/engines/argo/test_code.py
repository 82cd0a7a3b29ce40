"""Code of runs in a user's store: how it is pushed and pruned."""

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from riseml.cluster.command_error import CommandError
from riseml.cluster.store import UNPACK, StorePod
from riseml.engines.argo import code
from riseml.errors import UnreachableError
from riseml.project import checkout, snapshot, tidy
from tests.unit.shell_store import Shell

LARGE = 200_000


class Desk:
    """Home with the code of a project, and a store on this machine."""

    def __init__(self, folder: Path) -> None:
        self.home, self.project, self.repositories = (
            folder / "home",
            folder / "mnist",
            folder / "store",
        )
        self.repositories.mkdir()
        self.project.mkdir()
        (self.project / "large").write_bytes(os.urandom(LARGE))
        self.store = cast(StorePod, Shell(folder))
        self.local, self.remote = (
            self.home / "store/repos/mnist.git",
            self.repositories / "mnist.git",
        )

    def revision(self, text: str) -> str:
        """Take a snapshot of the project with this text as its code."""
        (self.project / "train.py").write_text(text, "utf-8")
        return snapshot(self.project, self.local).revision

    def push(self, text: str) -> str:
        """Take a snapshot, and push it to the store as a client does."""
        revision = self.revision(text)
        if not self.remote.exists():
            git("init", "-q", "--bare", str(self.remote))
        git(
            "push",
            "-q",
            str(self.remote),
            "+refs/heads/riseml:refs/heads/laptop",
            at=self.local,
        )
        code.push(self.store, self.home, "mnist", revision)
        return revision

    def age(self) -> None:
        """Make everything in the store look old."""
        for folder, _, files in os.walk(self.remote):
            for name in files:
                os.utime(Path(folder, name), (1, 1))

    def has(self, revision: str) -> bool:
        return git("cat-file", "-e", revision, at=self.remote, check=False) == 0

    def restored(self, revision: str, folder: Path) -> str:
        checkout(self.remote, revision, folder)
        assert (folder / "large").stat().st_size == LARGE
        return (folder / "train.py").read_text("utf-8")

    def size(self) -> int:
        return sum(
            Path(folder, name).stat().st_size
            for folder, _, files in os.walk(self.remote)
            for name in files
        )


def git(*words: str, at: Path | None = None, check: bool = True) -> int:
    where = [f"--git-dir={at}"] if at else []
    return subprocess.run(
        ["git", *where, *words], check=check, stderr=subprocess.DEVNULL
    ).returncode


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    laptop = Desk(tmp_path)
    monkeypatch.setattr(code, "REPOSITORIES", str(laptop.repositories))
    return laptop


def test_only_code_of_runs_stays(desk: Desk, tmp_path: Path) -> None:
    revisions = [desk.push(text) for text in ("one", "two", "three")]
    desk.age()
    code.prune(desk.store, [revisions[1], "0" * 40])
    assert [desk.has(revision) for revision in revisions] == [False, True, False]
    assert desk.restored(revisions[1], tmp_path / "two") == "two"
    code.prune(desk.store, [revisions[1]])
    assert desk.has(revisions[1])
    desk.age()
    code.prune(desk.store, [])
    assert not desk.has(revisions[1])
    assert desk.size() < LARGE


def test_code_that_is_about_to_be_started_stays(desk: Desk) -> None:
    old, new = desk.push("old"), desk.push("new")
    desk.age()
    # The folder is again what it was, so nothing is sent.
    code.push(desk.store, desk.home, "mnist", old)
    code.prune(desk.store, [])
    assert (desk.has(old), desk.has(new)) == (True, False)


def test_code_that_was_just_pushed_stays(desk: Desk) -> None:
    desk.push("first")
    desk.age()
    late = desk.revision("late")
    git(
        "push",
        "-q",
        str(desk.remote),
        "+refs/heads/riseml:refs/heads/laptop",
        at=desk.local,
    )
    code.prune(desk.store, [])
    assert desk.has(late)


@pytest.mark.parametrize("tidied", [True, False])
def test_a_push_after_pruning_sends_only_what_is_missing(
    desk: Desk, tmp_path: Path, tidied: bool
) -> None:
    used = desk.push("kept")
    desk.push("gone")
    desk.age()
    code.prune(desk.store, [used])
    if tidied:
        os.utime(desk.local / "refs/heads/riseml", (1, 1))
        tidy(desk.home, [used])
    size = desk.size()
    newest = desk.push("newest")
    # The store has the large file already, from the revision that stayed.
    assert desk.size() - size < LARGE / 2
    assert desk.restored(newest, tmp_path / "newest") == "newest"
    assert desk.restored(used, tmp_path / "kept") == "kept"


def test_an_incomplete_list_prunes_nothing(desk: Desk) -> None:
    used = desk.push("kept")
    desk.age()
    with pytest.raises(CommandError):
        desk.store.script(code._PRUNE, str(desk.remote), stdin=[b"1" * 40 + b"\n"])
    assert desk.has(used)


def test_a_store_without_code_can_be_pruned(desk: Desk) -> None:
    code.prune(desk.store, ["1" * 40])
    desk.repositories.rmdir()
    code.prune(desk.store, [])


@pytest.mark.parametrize("interrupted", [False, True])
def test_code_reaches_a_volume_whose_files_belong_to_somebody_else(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    monkeypatch.setattr(code, "_remote", remote_of_another_owner)
    monkeypatch.setattr(code, "_environment", lambda _: dict(os.environ))
    if interrupted:
        # `git init` failed here after it had written this file.
        desk.remote.mkdir()
        (desk.remote / "HEAD").write_text("ref: refs/heads/master\n", "utf-8")
    revision = desk.revision("one")
    code.push(desk.store, desk.home, "mnist", revision)
    assert desk.restored(revision, tmp_path / "one") == "one"
    shutil.rmtree(desk.local)
    assert code.fetch(desk.store, desk.home, "mnist", revision) == desk.local
    assert git("cat-file", "-e", revision, at=desk.local) == 0


def remote_of_another_owner(_: StorePod, target: str, script: str) -> str:
    """Return the address of a repository on this machine that Git takes for another user's."""
    environment = ("env", "GIT_TEST_ASSUME_DIFFERENT_OWNER=1")
    words = (*environment, "sh", "-ec", script, "riseml", target)
    quoted = [word.replace("%", "%%").replace(" ", "% ") for word in words]
    return "ext::" + " ".join(quoted)


def test_files_are_unpacked_for_the_user_who_unpacks_them(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        file = tarfile.TarInfo("file")
        file.uid, file.gid, file.mode = os.getuid() + 1, os.getgid() + 1, 0o666
        tar.addfile(file)
    command = ["sh", "-c", f"umask 0; {UNPACK}"]
    subprocess.run(command, input=buffer.getvalue(), cwd=tmp_path, check=True)
    status = (tmp_path / "file").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (os.getuid(), 0o666)


def test_code_that_does_not_arrive_is_an_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail: Callable[..., str] = lambda *_: "the connection broke"  # noqa: E731
    monkeypatch.setattr(code, "_push", fail)
    with pytest.raises(
        UnreachableError,
        match="could not be pushed to the cluster: the connection broke",
    ):
        code.push(desk.store, desk.home, "mnist", "1" * 40)
