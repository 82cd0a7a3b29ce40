"""What takes longer than a blink says so, on a terminal only and gone when it is done."""

import sys
from typing import TYPE_CHECKING

from riseml.cli import terminal

if TYPE_CHECKING:
    from threading import Timer

# Seconds
_BLINK = 0.3


class Notice:
    """A line such as `Syncing project...` on stderr while something goes on."""

    def __init__(self) -> None:
        self._shown = False
        self._interactive = terminal.inspect(sys.stderr).interactive
        self._timer: Timer | None = None

    def begin(self, text: str) -> None:
        """Show `text` soon, unless `end` comes before."""
        self.end()
        if self._interactive:
            from threading import Timer

            self._timer = Timer(_BLINK, self._show, (text,))
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Take the line away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

    def _show(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
        self._shown = True
