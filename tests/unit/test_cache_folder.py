"""Cache of computed texts: what it gives back, and what may happen to its files."""

import os
import subprocess
import sys
import threading
from binascii import crc32
from pathlib import Path

import pytest

from riseml import cache_folder
from riseml.cache_folder import CacheFolder


def files(home: Path) -> list[Path]:
    return sorted((home / "cache/kind").iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path, "kind")


@pytest.mark.parametrize("text", ["", "a\nb", "äö\ud800", "x" * 10_000])
def test_a_text_comes_back_for_the_same_inputs(folder: CacheFolder, text: str) -> None:
    folder.write(f"of {text}", text)
    assert folder.read(f"of {text}") == text
    assert folder.read(f"of {text}.") is None
    assert folder.read("of") is None or text == ""


def test_inputs_with_the_same_checksum_are_compared(
    folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cache_folder, "crc32", lambda data: 0 if len(data) < 9 else crc32(data)
    )
    folder.write("one", "first text")
    assert folder.read("two") is None
    # One that begins like it
    assert folder.read("onef") is None
    folder.write("two", "second text")
    assert folder.read("one") is None
    assert folder.read("two") == "second text"


def test_only_the_user_can_read_it(folder: CacheFolder, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder.write("in", "text")
    finally:
        os.umask(before)
    assert files(tmp_path)[0].stat().st_mode & 0o777 == 0o600
    for name in ("cache", "cache/kind"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


def test_an_entry_of_another_user_is_not_used(
    folder: CacheFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("in", "text")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert folder.read("in") is None


def test_a_damaged_entry_is_not_used(folder: CacheFolder, tmp_path: Path) -> None:
    folder.write("in", "some text")
    (entry,) = files(tmp_path)
    content = entry.read_bytes()
    for index in range(len(content)):
        entry.write_bytes(content[:index])
        assert folder.read("in") is None
        entry.write_bytes(content[:index] + b"\0" + content[index + 1 :])
        assert folder.read("in") is None
    entry.write_bytes(b"\0" * len(content))
    assert folder.read("in") is None
    folder.write("in", "some text")
    assert folder.read("in") == "some text"


def test_it_stays_small(folder: CacheFolder, tmp_path: Path) -> None:
    folder.write("in", "x" * 500_000)
    assert not (tmp_path / "cache").exists()
    (tmp_path / "cache/kind").mkdir(parents=True)
    (tmp_path / "cache/kind/0.1.draft").write_text("of a killed command")
    os.utime(tmp_path / "cache/kind/0.1.draft", (1, 1))
    for number in range(80):
        folder.write(str(number), "text")
        path = tmp_path / f"cache/kind/{crc32(str(number).encode()):08x}"
        os.utime(path, (1000 + number, 1000 + number))
        # This one is used again and again.
        assert folder.read("0") == "text"
    names = [path.name for path in files(tmp_path)]
    assert len(names) == 64
    assert "0.1.draft" not in names
    assert folder.read("1") is None
    assert folder.read("79") == "text"


def test_no_home_is_made(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "none", "kind")
    folder.write("in", "text")
    assert folder.read("in") is None
    assert not (tmp_path / "none").exists()


def test_a_home_without_space_or_permission_is_left_alone(
    folder: CacheFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "replace", refuse)
    folder.write("in", "text")
    assert folder.read("in") is None
    assert files(tmp_path) == []
    monkeypatch.setattr(os, "open", refuse)
    folder.write("in", "text")
    assert files(tmp_path) == []


_WRITER = """
import sys
from riseml.cache_folder import CacheFolder
folder = CacheFolder(sys.argv[1], "kind")
for number in range(10**9):
    folder.write(f"in {number % 100}", f"text {number % 100}" * 5000)
"""


def test_commands_that_write_and_are_killed_leave_only_complete_entries(
    folder: CacheFolder, tmp_path: Path
) -> None:
    program = [sys.executable, "-c", _WRITER, str(tmp_path)]
    for _ in range(4):
        writers = [subprocess.Popen(program) for _ in range(2)]
        stop = threading.Event()
        seen = 0
        timer = threading.Timer(1.0, stop.set)
        timer.start()
        while not stop.is_set():
            for number in range(100):
                text = folder.read(f"in {number}")
                assert text in {None, f"text {number}" * 5000}
                seen += text is not None
        for writer in writers:
            writer.kill()
            writer.wait()
    assert seen
    # Drafts of killed commands count, too.
    assert len(files(tmp_path)) <= 64 + 8
    folder.write("in", "text")
    assert len(files(tmp_path)) <= 64
