"""Homes: made private, refused if others may write to them, and never changed."""

import grp
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from riseml import home_folder
from riseml.errors import DiskFullError, HomeError

SOMEBODY_ELSE = 12345


@pytest.fixture
def umask() -> Iterator[None]:
    """Let new files be open to all users."""
    previous = os.umask(0)
    yield
    os.umask(previous)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.usefixtures("umask")
def test_a_new_home_and_what_is_in_it_are_private(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    home_folder.prepare(home)
    home_folder.make_folder(home / "runs")
    os.close(home_folder.open_file(home / "secrets", os.O_WRONLY))
    assert mode(home) == mode(home / "runs") == 0o700
    assert mode(home / "secrets") == 0o600
    # The folders above it are not the home's.
    assert mode(home.parent) == 0o777


@pytest.mark.usefixtures("umask")
def test_a_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    for text in ("old\n", "né\n"):
        home_folder.replace_file(file, text)
        assert file.read_bytes() == text.encode()
        assert mode(file) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("permissions", [0o1777, 0o777, 0o703])
def test_a_folder_that_others_may_write_to_is_refused(
    tmp_path: Path, permissions: int
) -> None:
    tmp_path.chmod(permissions)
    (tmp_path / home_folder.DATABASE).touch()
    for examine in (home_folder.check, home_folder.prepare):
        with pytest.raises(HomeError) as raised:
            examine(tmp_path)
        assert f"(mode {permissions:o})" in str(raised.value)
        assert str(tmp_path / "riseml") in raised.value.advice
        assert mode(tmp_path) == permissions


@pytest.mark.parametrize("permissions", [0o700, 0o750, 0o755, 0o500])
def test_the_mode_of_a_home_that_others_may_read_stays(
    tmp_path: Path, permissions: int
) -> None:
    tmp_path.chmod(permissions)
    home_folder.check(tmp_path)
    if os.access(tmp_path, os.W_OK):
        home_folder.prepare(tmp_path)
    assert mode(tmp_path) == permissions


def _group(**fields: object) -> SimpleNamespace:
    defaults: dict[str, object] = {"gr_gid": 7, "gr_name": "ada", "gr_mem": []}
    return SimpleNamespace(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("group", "is_private"),
    [
        (_group(), True),
        (_group(gr_mem=["ada"]), True),
        (_group(gr_mem=["ada", "bob"]), False),
        (_group(gr_name="lab"), False),
        (_group(gr_gid=8), False),
    ],
)
def test_a_group_of_one_user_is_not_shared(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    group: SimpleNamespace,
    *,
    is_private: bool,
) -> None:
    tmp_path.chmod(0o770)
    owner = SimpleNamespace(pw_name="ada", pw_gid=7)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: owner)
    monkeypatch.setattr(grp, "getgrgid", lambda _: group)
    if is_private:
        home_folder.prepare(tmp_path)
        return
    with pytest.raises(HomeError, match=r"other users may write to it \(mode 770\)"):
        home_folder.prepare(tmp_path)


def test_a_folder_of_another_user_is_refused_unless_it_is_a_home_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY_ELSE)
    for examine in (home_folder.check, home_folder.prepare):
        with pytest.raises(HomeError, match="it belongs to another user"):
            examine(tmp_path)
    (tmp_path / home_folder.DATABASE).touch()
    home_folder.check(tmp_path)
    with pytest.raises(HomeError, match="it belongs to another user"):
        home_folder.prepare(tmp_path)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mkdir(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(DiskFullError, match="cannot be used: the disk of /"):
        home_folder.prepare(tmp_path / "new")
