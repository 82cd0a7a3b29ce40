"""Packs: what Git reads from them, and what a snapshot does not do twice."""

import os
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from riseml.project import checkout, objects, pack, pack_stream, snapshot
from riseml.project.file_hasher import FileHasher
from tests.folders import git, listing, write


@pytest.fixture
def hashers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the descriptors of the files that are hashed, one for each pass."""
    passes: list[int] = []

    class Noting(FileHasher):
        def __init__(self, descriptor: int, *others: Any) -> None:
            passes.append(descriptor)
            super().__init__(descriptor, *others)

    monkeypatch.setattr(pack, "FileHasher", Noting)
    monkeypatch.setattr(objects, "_FEW_FILES", -1)
    return passes


def _restored(folder: Path, store: Path) -> bool:
    taken = snapshot(folder, store)
    checkout(store, taken.revision, folder.parent / taken.revision)
    assert git("fsck", "--strict", at=store) == ""
    return listing(folder.parent / taken.revision) == listing(folder)


def test_a_pack_of_different_files_is_hashed_once(
    tmp_path: Path, hashers: list[int]
) -> None:
    folder = write(tmp_path / "p", {f"d{n % 7}/{n}": f"{n}" for n in range(300)})
    (folder / "empty/inner").mkdir(parents=True)
    assert _restored(folder, tmp_path / "store.git")
    assert len(hashers) == 1


def test_files_of_the_same_content_are_in_a_pack_once(
    tmp_path: Path, hashers: list[int]
) -> None:
    folder = write(tmp_path / "p", {f"d/{n}": f"{n % 10}" for n in range(300)})
    store = tmp_path / "store.git"
    assert _restored(folder, store)
    # Their number was not known before, so the pack is read a second time.
    assert len(hashers) == 2
    # Ten files, two trees, the revision, and the branch's own commit.
    assert "in-pack: 14\n" in git("count-objects", "-v", at=store)


def test_a_streamed_copy_of_a_file_is_cut_off_again(
    tmp_path: Path, hashers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "IN_MEMORY", 100_000)
    content = os.urandom(5_000_000)
    folder = write(tmp_path / "p", {"a": content, "b": content, "c": "small"})
    store = tmp_path / "store.git"
    assert _restored(folder, store)
    assert len(hashers) == 2
    (file,) = store.glob("objects/pack/*.pack")
    assert 5_000_000 < file.stat().st_size < 5_010_000


def test_a_pack_is_hashed_while_it_grows(
    tmp_path: Path, hashers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk begins at the same time."""
    ends: list[int] = []
    begun: list[tuple[int, int]] = []

    def noting(self: FileHasher, end: int) -> None:
        ends.append(end)
        extend(self, end)

    extend = FileHasher.extend
    monkeypatch.setattr(FileHasher, "extend", noting)
    monkeypatch.setattr(
        os, "posix_fadvise", lambda _, start, size, __: begun.append((start, size))
    )
    content = os.urandom(30 << 20)
    folder = write(tmp_path / "p", {"a": content})
    assert _restored(folder, tmp_path / "store.git")
    assert len(hashers) == 1
    assert len(ends) == 31
    assert [start // pack._DISK_BYTES for start, _ in begun] == [0, 1, 2]
    assert begun[1][0] == begun[0][1]


def _refuse(*_: int) -> None:
    raise OSError("not supported")


@pytest.mark.parametrize(
    ("platform", "advise"), [("darwin", None), (sys.platform, _refuse)]
)
def test_a_pack_is_written_where_the_disk_takes_no_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, advise: object
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "posix_fadvise", advise)
    folder = write(tmp_path / "p", {"a": os.urandom(20 << 20)})
    assert _restored(folder, tmp_path / "store.git")


@pytest.mark.parametrize("size", [0, 1, 0xFFFE, 0xFFFF, 0x10000, 200_000])
def test_stored_content_is_a_stream_of_zlib(size: int) -> None:
    content = os.urandom(size)
    stream = b"".join(pack_stream.Stored(b"head").parts(content, is_last=True))
    assert zlib.decompress(stream.removeprefix(b"head")) == content
    parts = pack_stream.Stored(b"")
    steps = [*parts.parts(content, is_last=False), *parts.parts(b"end", is_last=True)]
    assert zlib.decompress(b"".join(steps)) == content + b"end"


def test_only_content_that_shrinks_is_compressed(
    tmp_path: Path, hashers: list[int]
) -> None:
    text, noise = b"a line of text\n" * 100_000, os.urandom(1_500_000)
    folder = write(tmp_path / "p", {"text": text, "noise": noise})
    store = tmp_path / "store.git"
    assert _restored(folder, store)
    assert len(hashers) == 1
    (file,) = store.glob("objects/pack/*.pack")
    data = file.read_bytes()
    # The first block of the noise, as it is; the text takes a hundredth.
    assert noise[:0xFFFF] in data
    assert len(noise) < len(data) < len(noise) + len(text) / 50
