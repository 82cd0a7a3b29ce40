"""Abilities of the terminal behind a stream: colours, symbols, width, redrawing."""

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
    "dim": "2",
}
_DEFAULT_WIDTH, _DEFAULT_HEIGHT = 80, 24


@dataclass(frozen=True)
class Terminal:
    """Abilities of a stream; `width` is None if nothing limits a line."""

    interactive: bool = False
    colour: bool = False
    unicode: bool = True
    width: int | None = None
    height: int = _DEFAULT_HEIGHT

    def paint(self, text: str, style: str) -> str:
        """Return `text` in a style, if the terminal has colours.

        The style is a name of COLOURS or an SGR number.
        """
        if not (self.colour and style and text):
            return text
        return f"\x1b[{COLOURS.get(style, style)}m{text}\x1b[0m"

    @property
    def arrow(self) -> str:
        """Sign before advice."""
        return "→" if self.unicode else "->"


def inspect(stream: TextIO) -> Terminal:
    """Return the abilities of a stream, limited by NO_COLOR, TERM and COLUMNS."""
    is_terminal = _is_terminal(stream)
    # Emacs and others show text, but cannot move a cursor.
    is_interactive = is_terminal and os.environ.get("TERM", "") != "dumb"
    width, height = _size(stream) if is_terminal else (None, _DEFAULT_HEIGHT)
    return Terminal(
        interactive=is_interactive,
        colour=is_interactive and not os.environ.get("NO_COLOR"),
        # `utf8`, `UTF-8`, `utf-8-sig`
        unicode=(stream.encoding or "").lower().replace("-", "").startswith("utf"),
        width=width,
        height=height,
    )


def stdout() -> Terminal:
    """Return the abilities of stdout."""
    return inspect(sys.stdout)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        # The stream is closed.
        return False


def _size(stream: TextIO) -> tuple[int | None, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((_DEFAULT_WIDTH, _DEFAULT_HEIGHT))
    # Some terminals report a size of 0.
    width, height = size.columns or _DEFAULT_WIDTH, size.lines or _DEFAULT_HEIGHT
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        width = int(columns)
    return width, height
