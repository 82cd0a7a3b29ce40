"""Copies of large files: the digest is that of the copy, however it was made."""

import errno
import os
import sys
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

import pytest

from riseml.project import hashed_copy, progress

_CONTENT = os.urandom((3 << 20) + 12_345)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.write_bytes(_CONTENT)
    return source


def _copy(source: Path, read: Callable[[int, int], bytes] = os.read) -> tuple[int, str]:
    """Copy a file to one beside it; return the size and the digest of the copy."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    target = os.open(source.with_name("target"), flags, 0o600)
    opened = os.open(source, os.O_RDONLY)
    digest = sha1(usedforsecurity=False)
    try:
        return hashed_copy.copy(opened, target, read, digest), digest.hexdigest()
    finally:
        os.close(opened)
        os.close(target)


class _Listener:
    def __init__(self) -> None:
        self.amounts: list[int] = []

    def begin(self, step: progress.Step, total: int) -> None:
        pass

    def advance(self, amount: int) -> None:
        self.amounts.append(amount)


def _without_clones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashed_copy, "clone", lambda *_: False)


def test_the_system_copies_and_progress_is_reported(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_clones(monkeypatch)
    listener = _Listener()
    reads: list[int] = []

    def read(descriptor: int, size: int) -> bytes:
        data = os.read(descriptor, size)
        reads.append(len(data))
        return data

    with progress.listening(listener):
        size, digest = _copy(source, read)
    assert size == len(_CONTENT)
    assert digest == sha1(_CONTENT).hexdigest()
    assert source.with_name("target").read_bytes() == _CONTENT
    # A bar moves with each mebibyte; nothing but the end is read into this process.
    assert listener.amounts == [1 << 20] * 3 + [12_345]
    assert reads == [0]


@pytest.mark.parametrize("calls", [0, 2])
def test_a_file_is_read_where_the_system_cannot_copy_it(
    source: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    _without_clones(monkeypatch)
    sendfile = os.sendfile
    done: list[int] = []

    def failing(out: int, into: int, offset: None, count: int) -> int:
        if len(done) == calls:
            raise OSError(errno.EINVAL, "Invalid argument")
        done.append(count)
        return sendfile(out, into, offset, count)

    monkeypatch.setattr(os, "sendfile", failing)
    assert _copy(source) == (len(_CONTENT), sha1(_CONTENT).hexdigest())
    assert source.with_name("target").read_bytes() == _CONTENT


def test_the_digest_is_that_of_the_copy_if_the_source_changes(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_clones(monkeypatch)
    sendfile = os.sendfile

    def changing(out: int, into: int, offset: None, count: int) -> int:
        sent = sendfile(out, into, offset, count)
        with source.open("r+b") as file:
            file.write(b"changed")
            file.seek(2 << 20)
            file.write(b"changed")
        return sent

    monkeypatch.setattr(os, "sendfile", changing)
    size, digest = _copy(source)
    copied = source.with_name("target").read_bytes()
    assert size == len(copied)
    assert digest == sha1(copied).hexdigest()
    assert copied[: 2 << 20] == _CONTENT[: 2 << 20]
    assert copied[2 << 20 :].startswith(b"changed")


def test_an_error_of_the_second_thread_is_that_of_the_copy(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_clones(monkeypatch)

    def failing(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", failing)
    with pytest.raises(OSError, match="Input/output error"):
        _copy(source)


def test_an_interruption_ends_the_second_thread(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading  # noqa: PLC0415

    _without_clones(monkeypatch)

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "sendfile", interrupted)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        _copy(source)
    assert threading.active_count() == before


def test_macos_is_not_asked_to_copy(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sendfile has other arguments, and sends to sockets only."""
    _without_clones(monkeypatch)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "sendfile", None)
    size, digest = _copy(source)
    assert (size, digest) == (len(_CONTENT), sha1(_CONTENT).hexdigest())
