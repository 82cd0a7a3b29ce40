"""Views that change: a block redrawn in place on a terminal, appended lines elsewhere."""

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
    """Show every view as it arrives; None means that only time has passed.

    On a terminal, the `lines` of the last view are redrawn in place. Elsewhere, those
    of its `changes` that are new are appended. The end of `views` and Ctrl-C end this.
    """
    if terminal.stdout().interactive:
        show = _redraw(lines)
    else:
        show = _append(changes)
    # Ages and durations change with time, so the latest view is shown again.
    latest: T | None = None
    try:
        for view in views:
            if view is not None:
                latest = view
            if latest is not None:
                show(latest)
    except KeyboardInterrupt:
        output.write("\n")


def _redraw(lines: Callable[[T], Sequence[str]]) -> Callable[[T], None]:
    screen = Screen()
    return lambda view: screen.show(lines(view))


def _append(changes: Callable[[T], Sequence[str]]) -> Callable[[T], None]:
    printed: set[str] = set()

    def show(view: T) -> None:
        new = [line for line in changes(view) if line not in printed]
        printed.update(new)
        output.lines(new)
        sys.stdout.flush()

    return show


class Screen:
    """Block of lines on a terminal, replaced by the next block."""

    def __init__(self) -> None:
        self._height = 0

    def show(self, lines: Sequence[str]) -> None:
        """Replace the block; lines beyond the height of the terminal are counted."""
        # The cursor stands below the block, and the count takes a line.
        room = max(terminal.stdout().height - 2, 1)
        block = list(lines)
        hidden = len(block) - room
        if hidden > 0:
            block = [*block[:room], f"... {hidden} more lines"]
        erase = f"\x1b[{self._height}A\r\x1b[J" if self._height else ""
        output.write(erase + "".join(f"{line}\n" for line in block))
        sys.stdout.flush()
        self._height = len(block)
