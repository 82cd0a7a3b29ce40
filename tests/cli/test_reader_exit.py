"""Commands that wait notice at once that the reader of their output has exited."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from riseml.cli import reader_exit

# Far longer than a signal takes, so that only a hang reaches it.
PATIENCE = 60.0


@contextmanager
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Make stdout a pipe; yield the end to read from."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stdout, monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stdout)
        yield reading


def _wait_until_it_exits(reader: int) -> None:
    with reader_exit.watched():
        threading.Timer(0.05, os.close, [reader]).start()
        try:
            time.sleep(PATIENCE)
        except Exception as error:
            raise AssertionError("it looked like a broken connection") from error


def test_the_exit_of_the_reader_ends_a_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    with piped(monkeypatch) as reader, pytest.raises(BrokenPipeError):
        _wait_until_it_exits(reader)
    assert time.monotonic() - begun < PATIENCE / 2
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN


def test_a_reader_that_stays_is_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = threading.active_count()
    with piped(monkeypatch) as reader:
        with reader_exit.watched():
            sys.stdout.write("line")
            sys.stdout.flush()
            # That of a connection to a cluster, for example.
            os.kill(os.getpid(), signal.SIGPIPE)
        assert os.read(reader, 100) == b"line"
        os.close(reader)
    assert threading.active_count() == threads
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN


def test_other_threads_are_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            with reader_exit.watched():
                time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    with piped(monkeypatch) as reader:
        os.close(reader)
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert raised == []
