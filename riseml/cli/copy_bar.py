"""Bar of `riseml cp` on a terminal, from the first third of a second on."""

import sys
import time

from riseml import phrases
from riseml.cli import bar, terminal
from riseml.cli.progress import Notice

# Faster copies would only make the line flicker.
_DELAY_SECONDS = 0.3
_REDRAW_SECONDS = 0.1


class CopyBar:
    """How far a copy is, shown in a notice; `title` is shown before the first file."""

    def __init__(self, notice: Notice, title: str) -> None:
        self._notice = notice
        self._title = title
        self._done = self._total = 0
        self._begun = time.monotonic()
        self._due = self._begun + _DELAY_SECONDS
        # The first request to a cluster may take long.
        notice.begin(f"Copying to {title}...")

    def begin(self, total: int) -> None:
        """Begin to copy so many bytes."""
        self._total = total
        self._begun = time.monotonic()

    def name(self, file: str) -> None:
        """Show the name of the file that is copied now."""
        self._title = file
        self.advance(0)

    def advance(self, amount: int) -> None:
        """Show that so many more bytes are copied, unless the line is still fresh."""
        self._done += amount
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _REDRAW_SECONDS
            self._notice.replace(self._line(now - self._begun))

    def _line(self, seconds: float) -> str:
        share = min(self._done / max(self._total, 1), 1.0)
        details = [f"{share:.0%} of {phrases.size(self._total)}"]
        left = phrases.time_left(share, seconds)
        if left:
            details += [left, f"{phrases.size(round(self._done / seconds))}/s"]
        screen = terminal.inspect(sys.stderr)
        width = screen.width or 80
        return bar.line(self._title, share, details, width, unicode=screen.unicode)
