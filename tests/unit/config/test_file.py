"""Reading of a riseml.yml from disk."""

import os
from pathlib import Path

import pytest

from riseml.config import MAX_BYTES, load, load_text
from riseml.errors import ConfigError, Fault
from tests.privileges import nobody

GOOD = "project: ab\ntrain: {image: python, resources: {}, run: 'x'}\n"


def refused(path: Path) -> Fault:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_status == 2
    return caught.value.faults[0]


def test_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "riseml.yml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    loaded = load(file)
    assert loaded.project == "ab"
    assert loaded.text == file.read_bytes().decode()
    assert loaded.config.train == loaded.train
    assert load_text(loaded.text).train == loaded.train


@pytest.mark.parametrize(
    ("content", "position", "words"),
    [
        (b"", "1:1", "is empty"),
        (b"# a\n\n# b", "3:4", "is empty"),
        (b"\xff\xfep\x00", "0:0", "in UTF-16"),
        (GOOD.encode("utf-16-be"), "1:1", "NUL byte"),
        (b"project: ab\ntra\0in:\n", "2:4", "NUL byte"),
        (b"project: ab\n# \xe9t\xe9\n", "2:3", "the byte 0xE9 is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "3:1", "NUL byte"),
        (b"#" * (MAX_BYTES + 1), "0:0", "larger than 1 MB"),
        (b"project: a\x1bb\n", "1:11", "U+001B"),
    ],
)
def test_bad_content(tmp_path: Path, content: bytes, position: str, words: str) -> None:
    file = tmp_path / "riseml.yml"
    file.write_bytes(content)
    fault = refused(file)
    assert f"{fault.line}:{fault.column}" == position
    assert words in fault.message
    assert str(fault).startswith(str(file))


def test_no_file(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "riseml.yml").message
    assert "is a directory" in refused(tmp_path).message
    (tmp_path / "x").write_text("")
    assert "Not a directory" in refused(tmp_path / "x" / "riseml.yml").message
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in refused(tmp_path / "loop").message
    # Python 3.14 calls it a null character.
    message = refused(tmp_path / "a\0b").message
    assert "null byte" in message or "null character" in message
    assert "too long" in refused(tmp_path / ("x" * 300)).message


def test_a_pipe_is_refused_without_reading_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(tmp_path / "pipe").message


def test_unreadable(tmp_path: Path) -> None:
    file = tmp_path / "riseml.yml"
    file.write_text(GOOD)
    file.chmod(0)
    with nobody():
        assert "Permission denied" in refused(file).message


@pytest.mark.parametrize(
    "name",
    [
        "ri se.yml",
        "größe.yml",
        os.fsdecode(b"\xff.yml"),
        "a\nb\x1b[31m.yml",
        "$(x).yml",
    ],
)
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("project: x\n")
    text = str(refused(file))
    assert text.encode()
    assert text.count("\n") == 3
    assert "\x1b" not in text
    file.write_text(GOOD)
    assert load(file).project == "ab"
