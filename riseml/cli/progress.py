"""Notice of a slow step, on a terminal only and erased afterwards."""

import sys
from typing import TYPE_CHECKING

from riseml.cli import terminal

if TYPE_CHECKING:
    from threading import Timer

# Faster steps would only make the line flicker.
_DELAY_SECONDS = 0.3


class Notice:
    """Line such as `Syncing project...` on stderr during a step."""

    def __init__(self) -> None:
        self._visible = False
        self._interactive = terminal.inspect(sys.stderr).interactive
        self._timer: Timer | None = None

    def begin(self, text: str) -> None:
        """Show `text` soon, unless `end` is called before."""
        self.end()
        if self._interactive:
            from threading import Timer

            self._timer = Timer(_DELAY_SECONDS, self._show, (text,))
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Erase the line."""
        if self._timer is not None:
            self._timer.cancel()
            # It may be writing the line right now.
            self._timer.join()
            self._timer = None
        if self._visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._visible = False

    def _show(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
        self._visible = True
