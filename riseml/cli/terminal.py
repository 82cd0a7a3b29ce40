"""What the other side of a stream can show: colours, symbols, a width, a screen to redraw."""

import os
import sys
from dataclasses import dataclass
from typing import TextIO

COLOURS = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "bold": "1",
}


@dataclass(frozen=True)
class Terminal:
    """A stream's abilities; `width` is None where nothing limits a line."""

    interactive: bool = False
    colour: bool = False
    unicode: bool = True
    width: int | None = None
    height: int = 24

    def paint(self, text: str, style: str) -> str:
        """Return `text` in a style of COLOURS or an SGR number, where colours are shown."""
        return (
            f"\x1b[{COLOURS.get(style, style)}m{text}\x1b[0m"
            if self.colour and style and text
            else text
        )


def of(stream: TextIO) -> Terminal:
    """Look at a stream and the environment (NO_COLOR, TERM, COLUMNS)."""
    interactive = _is_terminal(stream)
    dumb = os.environ.get("TERM", "") == "dumb"
    columns, lines = _size(stream) if interactive else (None, 24)
    return Terminal(
        interactive=interactive and not dumb,
        colour=interactive and not dumb and not os.environ.get("NO_COLOR"),
        unicode=(stream.encoding or "").lower().replace("-", "").startswith("utf"),
        width=columns,
        height=lines,
    )


def output() -> Terminal:
    """Look at stdout."""
    return of(sys.stdout)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        # Closed
        return False


def _size(stream: TextIO) -> tuple[int | None, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((80, 24))
    columns = os.environ.get("COLUMNS", "")
    return (
        int(columns) if columns.isdecimal() and int(columns) else size.columns or 80
    ), size.lines or 24
