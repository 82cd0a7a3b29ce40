"""Views that go on: a block redrawn in place on a terminal, lines appended elsewhere."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from riseml.cli import output, terminal

T = TypeVar("T")


def watch(
    views: Iterable[T | None],
    lines: Callable[[T], Sequence[str]],
    changes: Callable[[T], Sequence[str]],
) -> None:
    """Show every view as it comes; None means that only time has passed.

    On a terminal `lines` of the last view are redrawn in place. Elsewhere those `changes` are appended that were not
    there before. Ctrl-C ends the view, and so does the end of `views`.
    """
    screen = Screen() if terminal.stdout().interactive else None
    last: T | None = None
    known: set[str] = set()
    try:
        for view in views:
            last = view if view is not None else last
            if last is None:
                continue
            if screen is not None:
                screen.show(lines(last))
                continue
            fresh = [line for line in changes(last) if line not in known]
            known.update(fresh)
            output.lines(fresh)
            sys.stdout.flush()
    except KeyboardInterrupt:
        output.write("\n")


class Screen:
    """A block of lines on a terminal, replaced by the next."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, lines: Sequence[str]) -> None:
        """Replace the block; what does not fit the height is counted instead of shown."""
        room = max(terminal.stdout().height - 2, 1)
        hidden = len(lines) - room
        block = (
            [*lines[:room], f"... {hidden} more lines"] if hidden > 0 else list(lines)
        )
        home = f"\x1b[{self._shown}A\r\x1b[J" if self._shown else ""
        output.write(home + "".join(f"{line}\n" for line in block))
        sys.stdout.flush()
        self._shown = len(block)
