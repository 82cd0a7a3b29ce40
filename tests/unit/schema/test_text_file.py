"""Text files that users write: what is read, and what is refused without waiting."""

import os
from pathlib import Path

import pytest

from riseml.errors import HomeError, InvalidInputError
from riseml.schema import text_file


def _read(path: Path) -> str | None:
    return text_file.read(path, "It contains text.")


def test_a_text_and_its_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfgr\xc3\xbc\xc3\x9fe\n")
    assert _read(tmp_path / "file") == "grüße\n"


def test_no_file_and_the_null_device(tmp_path: Path) -> None:
    assert _read(tmp_path / "none") is None
    (tmp_path / "file").touch()
    assert _read(tmp_path / "file" / "below") is None
    assert _read(Path(os.devnull)) == ""


@pytest.mark.parametrize("target", ["/dev/zero", "pipe", "folder"])
def test_what_is_not_a_file_is_refused_at_once(target: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InvalidInputError) as caught:
        _read(tmp_path / "link")
    assert str(caught.value) == f"{tmp_path}/link is not a regular file"
    assert caught.value.advice == "It contains text."


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * text_file.MAX_BYTES)
    assert len(_read(tmp_path / "file") or "") == text_file.MAX_BYTES
    os.truncate(tmp_path / "file", 10**12)
    with pytest.raises(InvalidInputError, match="file is larger than 1 MB"):
        _read(tmp_path / "file")


def test_a_byte_that_is_not_text_has_a_position(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("a\nü: \xff".encode("latin-1"))
    with pytest.raises(InvalidInputError, match=r"file:2:1: the byte 0xFC is not UTF"):
        _read(tmp_path / "file")


def test_impossible_names(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="is not the name of a file"):
        _read(tmp_path / "a\0b")
    with pytest.raises(HomeError, match="cannot read"):
        _read(tmp_path / ("x" * 300))
