"""The bar of a slow sync, and the lines in its place where no line can be redrawn."""

import pytest

from riseml.cli import sync_bar
from riseml.cli.progress import Notice
from riseml.cli.sync_bar import SyncBar


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(sync_bar, "time", clock)
    return clock


def _notice(*, interactive: bool) -> Notice:
    notice = Notice()
    notice.interactive = interactive
    return notice


def _last(written: str) -> str:
    return written.rpartition("\r")[2].removesuffix("\x1b[K")


def test_a_bar_appears_within_the_first_second(
    clock: _Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = SyncBar(_notice(interactive=True))
    bar.begin("scan", 0)
    bar.advance(7)
    assert capsys.readouterr().err == ""
    clock.now += 0.4
    bar.advance(1)
    assert _last(capsys.readouterr().err) == "Syncing project: 8 files so far"
    bar.begin("store", 1 << 30)
    bar.advance(1 << 28)
    assert "[---" in capsys.readouterr().err
    clock.now += 3
    bar.advance(0)
    assert (
        _last(capsys.readouterr().err)
        == "Syncing project [######------------------] 25% of 1.0 GB, 10 seconds left"
    )


def test_a_line_is_not_redrawn_too_often(
    clock: _Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = SyncBar(_notice(interactive=True))
    clock.now += 1
    for _ in range(1000):
        bar.advance(1)
        clock.now += 0.001
    assert 9 <= capsys.readouterr().err.count("\r") <= 11


def test_steps_that_wait_are_named(
    clock: _Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = SyncBar(_notice(interactive=True))
    clock.now += 1
    bar.begin("store", 100)
    bar.begin("write", 0)
    assert _last(capsys.readouterr().err) == "Syncing project: writing to disk..."
    bar.begin("check out", 30)
    bar.advance(10)
    clock.now += 2
    bar.advance(5)
    assert (
        _last(capsys.readouterr().err)
        == "Preparing the code [############------------] 50% of 30 files, 3 seconds left"
    )


def test_elsewhere_slow_syncs_print_lines(
    clock: _Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = SyncBar(_notice(interactive=False))
    bar.begin("store", 100 << 20)
    for _ in range(100):
        clock.now += 0.25
        bar.advance(1 << 20)
    # Lines at 2, 12 and 22 seconds.
    assert capsys.readouterr().err.splitlines() == [
        "Syncing project 8% of 100.0 MB, 24 seconds left",
        "Syncing project 48% of 100.0 MB, 14 seconds left",
        "Syncing project 88% of 100.0 MB, 4 seconds left",
    ]


def test_quick_syncs_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with sync_bar.syncing():
        SyncBar(_notice(interactive=False)).advance(1)
    assert capsys.readouterr().err == ""
