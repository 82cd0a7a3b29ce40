"""Lines with bars, which are shorter than the terminal at every width."""

import pytest

from riseml import phrases
from riseml.cli import bar, terminal
from riseml.cli.copy_bar import CopyBar
from riseml.cli.progress import Notice
from riseml.cli.table import cells_wide
from riseml.cli.terminal import Terminal

DETAILS = ["38% of 1.2 GB", "4 seconds left", "12.3 MB/s"]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (
            140,
            "model.pt [#########---------------] 38% of 1.2 GB, 4 seconds left, 12.3 MB/s",
        ),
        (
            80,
            "model.pt [#########---------------] 38% of 1.2 GB, 4 seconds left, 12.3 MB/s",
        ),
        (60, "model.pt [#######-----------] 38% of 1.2 GB, 4 seconds left"),
        (40, "model.pt [#####---------] 38% of 1.2 GB"),
        (20, "38% of 1.2 GB mode…"),
    ],
)
def test_a_bar_fits(width: int, expected: str) -> None:
    assert bar.line("model.pt", 0.38, DETAILS, width, unicode=True) == expected
    assert len(expected) < width


@pytest.mark.parametrize("width", [20, 40, 60, 80, 140])
@pytest.mark.parametrize("title", ["checkpoints/" * 20 + "model.pt", "模型" * 60])
def test_long_titles_are_cut(title: str, width: int) -> None:
    for is_unicode in (True, False):
        line = bar.line(title, 1.0, DETAILS, width, unicode=is_unicode)
        assert cells_wide(line) < width


def test_time_left_is_not_guessed_too_early() -> None:
    assert phrases.time_left(0.5, 0.9) == ""
    assert phrases.time_left(0.25, 3) == "10 seconds left"
    assert phrases.time_left(0, 3) == ""


def test_a_copy_shows_its_bar_after_a_third_of_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr("riseml.cli.copy_bar.time.monotonic", lambda: now)
    narrow = Terminal(interactive=True, width=60)
    monkeypatch.setattr(terminal, "inspect", lambda _stream: narrow)
    notice = Notice()
    monkeypatch.setattr(notice, "begin", lambda _text: None)
    copy = CopyBar(notice, "data://digits")
    copy.begin(200 << 20)
    copy.name("images/train.zip")
    copy.advance(10 << 20)
    assert capsys.readouterr().err == ""
    now += 4
    copy.advance(40 << 20)
    last = capsys.readouterr().err.rpartition("\r")[2].removesuffix("\x1b[K")
    assert last == "images/train.z… [##------] 25% of 200.0 MB, 13 seconds left"
