"""Notice of a slow step on a terminal, erased afterwards, and a block that is redrawn."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from riseml.cli import output, terminal

if TYPE_CHECKING:
    from threading import Timer

# Faster steps would only make the line flicker.
_DELAY_SECONDS = 0.3


class Notice:
    """Line such as `Syncing project...` on stderr during a step.

    `interactive` is whether a line can be erased; it is `visible` while it stands there.
    """

    def __init__(self) -> None:
        self.visible = False
        self.interactive = terminal.inspect(sys.stderr).interactive
        self._timer: Timer | None = None

    def begin(self, text: str) -> None:
        """Show `text` soon, unless `end` is called before."""
        self.end()
        if self.interactive:
            from threading import Timer

            self._timer = Timer(_DELAY_SECONDS, self._show, (text,))
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Erase the line."""
        self._cancel()
        if self.visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self.visible = False

    def replace(self, text: str) -> None:
        """Show another text in the line now."""
        self._cancel()
        self._show(f"\r{text}\x1b[K")

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            # It may be writing the line right now.
            self._timer.join()
            self._timer = None

    def _show(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
        self.visible = True


class Block:
    """Lines at the end of a terminal, which the next ones replace."""

    def __init__(self) -> None:
        self._erase = ""

    def show(self, lines: Sequence[str]) -> None:
        """Replace the lines; each has to be shorter than the terminal."""
        output.write(self._erase + "".join(map("{}\n".format, lines)))
        sys.stdout.flush()
        self._erase = f"\x1b[{len(lines)}A\r\x1b[J"
