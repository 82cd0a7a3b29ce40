"""Bar of a slow sync on stderr; plain lines where no line can be redrawn.

Syncing project [#########---------------]  38 % of 1.2 GB, 4 seconds left
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from riseml import phrases
from riseml.cli import bar, output, terminal
from riseml.cli.progress import Notice

if TYPE_CHECKING:
    from riseml.project.progress import Step

# Faster syncs would only make the line flicker.
_DELAY_SECONDS = 0.3
_REDRAW_SECONDS = 0.1
# The same where lines stay: only slow syncs get some.
_FIRST_LINE_SECONDS = 2.0
_NEXT_LINE_SECONDS = 10.0
_TITLE = "Syncing project"


@contextmanager
def syncing() -> Iterator[None]:
    """Show the progress of the snapshots that the block takes."""
    from riseml.project.progress import listening

    notice = Notice()
    notice.begin(f"{_TITLE}...")
    try:
        with listening(SyncBar(notice)):
            yield
    finally:
        notice.end()


class SyncBar:
    """A listener of `riseml.project.progress` that shows a bar in a notice."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice
        self._step: Step = "scan"
        self._done = self._total = 0
        self._begun = time.monotonic()
        delay = _DELAY_SECONDS if notice.interactive else _FIRST_LINE_SECONDS
        self._due = self._begun + delay

    def begin(self, step: "Step", total: int) -> None:
        """Begin a step."""
        self._step, self._done, self._total = step, 0, total
        self._begun = time.monotonic()
        # A step that waits for the disk says nothing for a while, so it is shown at once.
        self._due -= _REDRAW_SECONDS
        self.advance(0)

    def advance(self, amount: int) -> None:
        """Show that so much more is done, unless the line is still fresh."""
        self._done += amount
        now = time.monotonic()
        if now < self._due:
            return
        if self._notice.interactive:
            self._due = now + _REDRAW_SECONDS
            self._notice.replace(self._line(now))
        else:
            self._due = now + _NEXT_LINE_SECONDS
            output.note(self._line(now))

    def _line(self, now: float) -> str:
        if self._step == "scan":
            return f"{_TITLE}: {phrases.plural(self._done, 'file')} so far"
        if self._step == "write":
            return f"{_TITLE}: writing to disk..."
        if not self._total:
            return f"{_TITLE}..."
        if self._step == "store":
            return self._share(_TITLE, f" of {phrases.size(self._total)}", now)
        if self._step == "push":
            return self._share("Pushing the code", "", now)
        files = phrases.plural(self._total, "file")
        return self._share("Preparing the code", f" of {files}", now)

    def _share(self, title: str, total: str, now: float) -> str:
        """Return the bar, the percentage, and how long the rest will take."""
        # A file that grows is read to its new end.
        share = min(self._done / max(self._total, 1), 1.0)
        details = [f"{share:.0%}{total}"]
        left = phrases.time_left(share, now - self._begun)
        if left:
            details.append(left)
        if not self._notice.interactive:
            return f"{title} {', '.join(details)}"
        screen = terminal.inspect(sys.stderr)
        return bar.line(
            title, share, details, screen.width or 80, unicode=screen.unicode
        )
