"""Checkout that shares unchanged files with an earlier one: the same as any other checkout, and safe."""

import os
import shutil
from pathlib import Path

import pytest

from riseml.errors import HomeError
from riseml.project import Snapshot, checkout, restore, snapshot
from tests.folders import listing, write

_LARGE = os.urandom(1 << 20)
_FILES: dict[str, str | bytes] = {
    "train.py": "one",
    "lib/model.py": "two",
    "lib/tools/run.sh": "three",
    "lib/ odd\n-name\\ ": "four",
    "lib/.GIT/.Git": "five",
    "secret": "six",
    "empty": "",
    "only/large.bin": _LARGE,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write(tmp_path / "project", _FILES)
    (folder / "lib/tools/run.sh").chmod(0o755)
    (folder / "secret").chmod(0o600)
    (folder / "-link").symlink_to("lib/\n")
    (folder / "to_folder").symlink_to("lib")
    (folder / "no/files").mkdir(parents=True)
    (folder / "no").chmod(0o500)
    return folder


def _take(folder: Path) -> Snapshot:
    return snapshot(folder, folder.parent / "store.git", split=True)


def _check_out(folder: Path, name: str, base: Path | None = None) -> Path:
    target = folder.parent / name
    revision = _take(folder).revision
    checkout(folder.parent / "store.git", revision, target, link=True, base=base)
    return target


def _shared(first: Path, second: Path) -> set[str]:
    """Return the files that are the same in both folders."""
    paths = set()
    for path in first.rglob("*"):
        other = second / path.relative_to(first)
        if path.is_file() and other.exists() and path.samefile(other):
            paths.add(str(path.relative_to(first)))
    return paths


@pytest.fixture(autouse=True)
def sharing(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return whether the checkouts with a base could share files with it."""
    results: list[bool] = []
    share = restore.share

    def noting(*arguments: str | Path) -> bool:
        results.append(share(*arguments))  # type: ignore[arg-type]
        return results[-1]

    monkeypatch.setattr(restore, "share", noting)
    return results


def test_only_changed_files_are_written(folder: Path, sharing: list[bool]) -> None:
    first = _check_out(folder, "first")
    write(folder, {"lib/model.py": "new", "lib/more.py": "more"})
    (folder / "train.py").unlink()
    second = _check_out(folder, "second", first)
    assert sharing == [True]
    assert listing(second) == listing(folder)
    unchanged = set(_FILES) - {"lib/model.py", "train.py"}
    assert _shared(first, second) == unchanged
    assert (first / "lib/model.py").read_text() == "two"


def test_it_equals_a_checkout_without_a_base(folder: Path, sharing: list[bool]) -> None:
    first = _check_out(folder, "first")
    (folder / "train.py").chmod(0o750)
    (folder / "lib").chmod(0o700)
    (folder / "-link").unlink()
    (folder / "-link").symlink_to("train.py")
    second = _check_out(folder, "second", first)
    assert sharing == [True]
    assert listing(second) == listing(_check_out(folder, "third")) == listing(folder)


def test_files_with_another_mode_are_not_shared(folder: Path) -> None:
    first = _check_out(folder, "first")
    before = listing(first)
    for path in ("train.py", "secret", "lib/tools/run.sh"):
        (folder / path).chmod(0o640)
    second = _check_out(folder, "second", first)
    assert listing(second) == listing(folder)
    assert listing(first) == before


def test_what_somebody_changed_in_the_base_is_not_shared(
    folder: Path, sharing: list[bool]
) -> None:
    first = _check_out(folder, "first")
    with (first / "train.py").open("r+") as file:
        file.write("bad")
    (first / "empty").unlink()
    (first / "to_folder").unlink()
    (first / "to_folder").symlink_to("no")
    shutil.rmtree(first / "lib/tools")
    (first / "lib/tools").symlink_to(folder / "lib/tools")
    second = _check_out(folder, "second", first)
    assert sharing == [True]
    assert listing(second) == listing(folder)
    assert not (second / "lib/tools/run.sh").samefile(folder / "lib/tools/run.sh")


def test_a_base_may_be_removed(folder: Path, sharing: list[bool]) -> None:
    second = _check_out(folder, "second", folder.parent / "removed")
    assert (sharing, listing(second)) == ([True], listing(folder))


def test_files_are_written_where_links_do_not_work(
    folder: Path, sharing: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _check_out(folder, "first")

    def refuse(*_: str) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    second = _check_out(folder, "second", first)
    assert sharing == [False]
    assert listing(second) == listing(folder)
    assert _shared(first, second) <= {"only/large.bin"}


def test_a_missing_revision_is_named(folder: Path) -> None:
    first = _check_out(folder, "first")
    with pytest.raises(HomeError, match="does not contain 0000"):
        checkout(folder.parent / "store.git", "0" * 40, folder.parent / "x", base=first)


def test_other_files_in_the_folder_stay(folder: Path, sharing: list[bool]) -> None:
    first = _check_out(folder, "first")
    second = write(folder.parent / "second", {"notes": "mine"})
    _check_out(folder, "second", first)
    assert sharing == [False]
    assert (second / "notes").read_text() == "mine"
    assert (second / "train.py").read_text() == "one"
