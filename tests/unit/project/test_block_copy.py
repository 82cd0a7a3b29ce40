"""Copies of very large files: the id is that of the blocks that were written, whatever happens."""

import errno
import os
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from riseml.project import block_copy, progress

_BLOCK = 64 << 10
_CONTENT = os.urandom(5 * _BLOCK + 123)


@pytest.fixture(autouse=True)
def without_clones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_copy, "_BLOCK_BYTES", _BLOCK)
    monkeypatch.setattr(block_copy, "_STEP_BYTES", 10_000)
    monkeypatch.setattr(block_copy, "clone", lambda *_: False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.write_bytes(_CONTENT)
    return source


def _read(descriptor: int, buffer: memoryview, position: int) -> int:
    return os.preadv(descriptor, [buffer], position)


def _copy(
    source: Path, size: int = len(_CONTENT), read: block_copy.Read = _read
) -> bytes | None:
    """Copy a file to `target` beside it."""
    target = os.open(source.with_name("target"), os.O_RDWR | os.O_CREAT, 0o600)
    opened = os.open(source, os.O_RDONLY)
    try:
        return block_copy.copy(opened, target, size, read)
    finally:
        os.close(opened)
        os.close(target)


def _id_of(content: bytes) -> bytes:
    digests = b""
    for start in range(0, len(content), _BLOCK):
        block = content[start : start + _BLOCK]
        digests += sha1(block, usedforsecurity=False).digest()
    head = f"riseml blocks {_BLOCK} {len(content)}\0".encode()
    return sha256(head + digests).digest()


def _target(source: Path) -> bytes:
    return source.with_name("target").read_bytes()


@pytest.mark.parametrize("processors", [1, 2, 16])
def test_the_id_does_not_depend_on_the_number_of_threads(
    source: Path, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_copy, "_processors", lambda: processors)
    assert _copy(source) == _id_of(_CONTENT)
    assert _target(source) == _CONTENT


@pytest.mark.parametrize("size", [1, _BLOCK - 1, _BLOCK, _BLOCK + 1, 2 * _BLOCK])
def test_a_file_ends_in_a_block_or_at_its_end(source: Path, size: int) -> None:
    source.write_bytes(_CONTENT[:size])
    assert _copy(source, size) == _id_of(_CONTENT[:size])
    assert _target(source) == _CONTENT[:size]


def test_a_file_that_has_grown_is_copied_up_to_its_former_size(source: Path) -> None:
    assert _copy(source, 3 * _BLOCK) == _id_of(_CONTENT[: 3 * _BLOCK])
    assert _target(source) == _CONTENT[: 3 * _BLOCK]


def test_a_file_that_was_shortened_has_no_id(source: Path) -> None:
    assert _copy(source, len(_CONTENT) + 1) is None
    assert _copy(source, 9 * _BLOCK) is None


def test_the_id_is_that_of_the_copy_if_the_source_changes(source: Path) -> None:
    def changing(descriptor: int, buffer: memoryview, position: int) -> int:
        count = _read(descriptor, buffer, position)
        with source.open("r+b") as file:
            file.seek(position)
            file.write(b"changed")
            file.seek(4 * _BLOCK)
            file.write(b"changed")
        return count

    blob = _copy(source, read=changing)
    assert blob == _id_of(_target(source))
    assert _target(source) != _CONTENT


def test_a_file_that_shares_blocks_is_only_read(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cloning(opened: int, target: int) -> bool:
        os.pwrite(target, os.pread(opened, len(_CONTENT), 0), 0)
        return True

    monkeypatch.setattr(block_copy, "clone", cloning)
    monkeypatch.delattr(block_copy, "_write")
    assert _copy(source, 2 * _BLOCK) == _id_of(_CONTENT[: 2 * _BLOCK])
    assert _target(source) == _CONTENT[: 2 * _BLOCK]
    assert _copy(source, len(_CONTENT) + 1) is None


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "no space"), MemoryError("no space")]
)
@pytest.mark.parametrize("operation", ["read", "write"])
def test_the_error_of_a_thread_is_that_of_the_copy(
    source: Path, operation: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> int:
        raise error

    if operation == "write":
        monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(type(error), match="no space"):
        _copy(source, read=failing if operation == "read" else _read)


def test_the_system_may_write_less_than_it_is_given(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda target, data, at: write(target, data[:777], at)
    )
    assert _copy(source) == _id_of(_CONTENT)
    assert _target(source) == _CONTENT


def test_progress_is_reported(source: Path) -> None:
    amounts = []

    class Listener:
        def begin(self, step: progress.Step, total: int) -> None:
            pass

        def advance(self, amount: int) -> None:
            amounts.append(amount)

    with progress.listening(Listener()):
        _copy(source)
    assert sorted(amounts) == [123] + [_BLOCK] * 5
