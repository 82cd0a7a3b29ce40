"""Views that change: a screen that is redrawn on a terminal, appended lines elsewhere."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TypeVar

from riseml.cli import output, reader_exit, terminal

T = TypeVar("T")

# Ages and durations are shown in seconds.
TICK_SECONDS = 1.0
# A view takes at most this share of a core, however large a set is.
_SHARE = 0.01
# How much the last redraw counts for the mean.
_WEIGHT = 0.3
# A slow cluster is asked less often, too.
_READ_SHARE, _LONGEST_PAUSE_SECONDS = 0.25, 3.0
# How soon a screen fits a terminal that was resized.
_SIZE_CHECK_SECONDS = 0.1

# The alternate screen, without a cursor. Long lines are cut at its edge, and do not wrap.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _ERASE_LINE, _ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
# The last screen stays above the prompt, with the sentence about how to return.
_LINES_BELOW = 2


def watch(
    read: Callable[[], T],
    lines: Callable[[T], Sequence[str]],
    changes: Callable[[T], Mapping[str, str]],
    is_last: Callable[[T], bool],
    *,
    farewell: str,
    pause: float | None = None,
) -> None:
    """Show what `read` returns, until a view is the last one or the user presses Ctrl-C.

    On a terminal, a screen shows the `lines` of the last view. Elsewhere, those of its
    `changes` that are new are appended: a text by the id of what it is about.
    `farewell` says after Ctrl-C how to return. There are at least `pause` seconds between
    two views, None for a second.
    """
    is_interactive = terminal.stdout().interactive
    display = _redrawn(lines) if is_interactive else _appended(changes)
    try:
        with reader_exit.watched(), display as draw:
            _follow(
                read, draw, is_last, _Pace(TICK_SECONDS if pause is None else pause)
            )
    except KeyboardInterrupt:
        output.note(farewell)


def room() -> int:
    """Return how many lines a screen may have."""
    return max(terminal.stdout().height - _LINES_BELOW, 1)


def _follow(
    read: Callable[[], T],
    draw: Callable[[T], None],
    is_last: Callable[[T], bool],
    pace: "_Pace",
) -> None:
    while True:
        with pace:
            view = read()
            draw(view)
        if is_last(view):
            return
        _sleep(pace.pause, partial(draw, view))


class _Pace:
    """How long to wait between two redraws, so that all together take a small share of a core."""

    def __init__(self, seconds: float) -> None:
        self._seconds = self.pause = seconds
        self._begun = self._used = 0.0
        # CPU time of a redraw. The first one imports modules, and does not count.
        self._redraws = 0
        self._mean = 0.0

    def __enter__(self) -> None:
        self._begun, self._used = time.monotonic(), time.process_time()

    def __exit__(self, *_error: object) -> None:
        elapsed = time.monotonic() - self._begun
        used = (time.process_time() - self._used) * min(self._redraws, 1)
        self._redraws += 1
        # A single slow redraw must not stop the view for long.
        self._mean += (used - self._mean) * _WEIGHT
        slow = min(elapsed / _READ_SHARE, _LONGEST_PAUSE_SECONDS)
        self.pause = max(self._seconds - elapsed, self._mean / _SHARE, slow)


def _sleep(seconds: float, redraw: Callable[[], None]) -> None:
    """Wait, and redraw whenever the terminal has got another size."""
    size = terminal.stdout()
    end = time.monotonic() + seconds
    while (remaining := end - time.monotonic()) > 0:
        time.sleep(min(remaining, _SIZE_CHECK_SECONDS))
        if terminal.stdout() != size:
            size = terminal.stdout()
            redraw()


@contextmanager
def _appended(
    changes: Callable[[T], Mapping[str, str]],
) -> Iterator[Callable[[T], None]]:
    printed: dict[str, str] = {}

    def draw(view: T) -> None:
        new = []
        for subject, line in changes(view).items():
            if printed.get(subject) != line:
                printed[subject] = line
                new.append(line)
        output.lines(new)
        sys.stdout.flush()

    yield draw


@contextmanager
def _redrawn(lines: Callable[[T], Sequence[str]]) -> Iterator[Callable[[T], None]]:
    screen = Screen()

    def draw(view: T) -> None:
        screen.show(lines(view))

    screen.enter()
    previous = signal.signal(signal.SIGTSTP, screen.suspend)
    try:
        yield draw
    finally:
        signal.signal(signal.SIGTSTP, previous)
        screen.leave()


class Screen:
    """The alternate screen of a terminal: what was on the terminal stays as it was.

    Each block is written over the one before, line by line, so nothing flickers.
    """

    def __init__(self) -> None:
        self._block: list[str] = []
        self._is_writing = self._must_suspend = False

    def enter(self) -> None:
        """Switch to the alternate screen."""
        self._write(_ENTER)

    def show(self, lines: Sequence[str]) -> None:
        """Replace the block; lines beyond the height of the terminal are counted."""
        self._block = list(lines)
        hidden = len(self._block) - room()
        if hidden > 0:
            del self._block[-hidden - 1 :]
            self._block.append(f"... {hidden + 1} more lines")
        self._draw()

    def leave(self) -> None:
        """Switch back, and leave the last block there."""
        self._write(_LEAVE)
        output.lines(self._block)
        sys.stdout.flush()

    def suspend(self, _number: int, _frame: FrameType | None) -> None:
        """Leave the terminal to the shell, as Ctrl-Z asks, until the process continues."""
        if self._is_writing:
            # A stream refuses a second write within the first one.
            self._must_suspend = True
        else:
            self._suspend()

    def _suspend(self) -> None:
        self._must_suspend = False
        self._write(_LEAVE)
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        # The process is stopped here, and goes on when the user brings it back.
        signal.signal(signal.SIGTSTP, handler)
        self.enter()
        self._draw()

    def _draw(self) -> None:
        lines = [f"{line}{_ERASE_LINE}" for line in self._block]
        self._write(_HOME + "\r\n".join(lines) + _ERASE_BELOW)

    def _write(self, codes: str) -> None:
        self._is_writing = True
        try:
            output.write(codes)
            sys.stdout.flush()
        finally:
            self._is_writing = False
        if self._must_suspend:
            self._suspend()
