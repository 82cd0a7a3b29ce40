"""The code of runs in a user's store: what is there, what is pruned, and what travels after that."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from riseml.cluster.pod_exec import CommandError
from riseml.cluster.store import StorePod
from riseml.engines.argo import code
from riseml.errors import UnreachableError
from riseml.project import checkout, snapshot, tidy
from tests.unit.shell_store import Shell

LARGE = 200_000  # bytes of noise


class Desk:
    """A home with the code of a project, and a store on this machine."""

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
        self.own, self.there = (
            self.home / "store/repos/mnist.git",
            self.repositories / "mnist.git",
        )

    def revision(self, text: str) -> str:
        """Take a snapshot of the project with this as its code."""
        (self.project / "train.py").write_text(text, "utf-8")
        return snapshot(self.project, self.own).revision

    def push(self, text: str) -> str:
        """Take a snapshot, and bring it to the store as a client does."""
        made = self.revision(text)
        if not self.there.exists():
            git("init", "-q", "--bare", str(self.there))
        git(
            "push",
            "-q",
            str(self.there),
            "+refs/heads/riseml:refs/heads/laptop",
            at=self.own,
        )
        code.push(self.store, self.home, "mnist", made)
        return made

    def age(self) -> None:
        """Let two hours pass in the store."""
        for folder, _, files in os.walk(self.there):
            for name in files:
                os.utime(Path(folder, name), (1, 1))

    def has(self, revision: str) -> bool:
        return git("cat-file", "-e", revision, at=self.there, check=False) == 0

    def restored(self, revision: str, folder: Path) -> str:
        checkout(self.there, revision, folder)
        assert (folder / "large").stat().st_size == LARGE
        return (folder / "train.py").read_text("utf-8")

    def size(self) -> int:
        return sum(
            Path(folder, name).stat().st_size
            for folder, _, files in os.walk(self.there)
            for name in files
        )


def git(*words: str, at: Path | None = None, check: bool = True) -> int:
    where = [f"--git-dir={at}"] if at else []
    return subprocess.run(
        ["git", *where, *words], check=check, stderr=subprocess.DEVNULL
    ).returncode


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path)
    monkeypatch.setattr(code, "REPOSITORIES", str(made.repositories))
    return made


def test_only_what_runs_are_of_is_kept(desk: Desk, tmp_path: Path) -> None:
    revisions = [desk.push(text) for text in ("one", "two", "three")]
    desk.age()
    code.prune(desk.store, [revisions[1], "0" * 40])
    assert [desk.has(each) for each in revisions] == [False, True, False]
    assert desk.restored(revisions[1], tmp_path / "two") == "two"
    code.prune(desk.store, [revisions[1]])
    assert desk.has(revisions[1])
    desk.age()
    code.prune(desk.store, [])
    assert not desk.has(revisions[1])
    assert desk.size() < LARGE


def test_what_somebody_is_about_to_start_is_kept(desk: Desk) -> None:
    old, new = desk.push("old"), desk.push("new")
    desk.age()
    code.push(
        desk.store, desk.home, "mnist", old
    )  # a folder as it was before: nothing travels
    code.prune(desk.store, [])
    assert (desk.has(old), desk.has(new)) == (True, False)


def test_what_comes_just_now_is_kept(desk: Desk) -> None:
    desk.push("first")
    desk.age()
    late = desk.revision("late")
    git(
        "push",
        "-q",
        str(desk.there),
        "+refs/heads/riseml:refs/heads/laptop",
        at=desk.own,
    )
    code.prune(desk.store, [])
    assert desk.has(late)


@pytest.mark.parametrize("tidied", [True, False])
def test_a_push_after_that_brings_what_is_missing(
    desk: Desk, tmp_path: Path, tidied: bool
) -> None:
    kept = desk.push("kept")
    desk.push("gone")
    desk.age()
    code.prune(desk.store, [kept])
    if tidied:
        os.utime(desk.own / "refs/heads/riseml", (1, 1))
        tidy(desk.home, [kept])
    before = desk.size()
    newest = desk.push("newest")
    assert (
        desk.size() - before < LARGE / 2
    )  # its large file is there, with the revision that was kept
    assert desk.restored(newest, tmp_path / "newest") == "newest"
    assert desk.restored(kept, tmp_path / "kept") == "kept"


def test_half_a_list_prunes_nothing(desk: Desk) -> None:
    kept = desk.push("kept")
    desk.age()
    with pytest.raises(CommandError):
        desk.store.script(code._PRUNE, str(desk.there), stdin=[b"1" * 40 + b"\n"])
    assert desk.has(kept)


def test_a_store_without_code(desk: Desk) -> None:
    code.prune(desk.store, ["1" * 40])
    desk.repositories.rmdir()
    code.prune(desk.store, [])


def test_code_that_does_not_arrive(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    told: Callable[..., str] = lambda *_: "the connection broke"  # noqa: E731
    monkeypatch.setattr(code, "_push", told)
    with pytest.raises(
        UnreachableError,
        match="could not be pushed to the cluster: the connection broke",
    ):
        code.push(desk.store, desk.home, "mnist", "1" * 40)
