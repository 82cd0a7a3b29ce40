"""Abilities of the terminal behind a stream: colours, symbols, width, redrawing.

Plain mode is for screen readers: no colours, symbols, bars or redrawn lines, and one
statement a line. RISEML_PLAIN, `--plain` and the setting `plain` choose it.
"""

import os
import re
import sys
from typing import Literal, TextIO

from riseml import settings
from riseml.dataclass import dataclass

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
# What Python sets where the locale is C. A user who writes LANG=C means ASCII.
_LOCALE_OF_PYTHON = "C.UTF-8"
# The locales C and POSIX, and those that name another encoding: `de_DE.ISO-8859-1`
_OTHER_ENCODING = re.compile(r"(?:C|POSIX)$|[^.]*\.(?!utf)", re.IGNORECASE)
Mode = Literal["unicode", "ascii", "plain"]
_ARROWS: dict[Mode, str] = {"unicode": "→", "ascii": "->", "plain": "Advice:"}
_BARS: dict[Mode, str] = {"unicode": "|", "ascii": "|", "plain": "Quote:"}


@dataclass(frozen=True)
class Terminal:
    """Abilities of a stream; `width` is None if nothing limits a line.

    With `plain`, lines are made to be read aloud.
    """

    interactive: bool = False
    colour: bool = False
    unicode: bool = True
    width: int | None = None
    height: int = _DEFAULT_HEIGHT
    plain: bool = False

    def paint(self, text: str, style: str) -> str:
        """Return `text` in a style, if the terminal has colours.

        The style is a name of COLOURS or an SGR number.
        """
        if not (self.colour and style and text):
            return text
        return f"\x1b[{COLOURS.get(style, style)}m{text}\x1b[0m"

    @property
    def mode(self) -> Mode:
        """Which signs it can show; plain mode has words in their place."""
        if self.plain:
            return "plain"
        return "unicode" if self.unicode else "ascii"

    @property
    def arrow(self) -> str:
        """Sign before advice."""
        return _ARROWS[self.mode]

    @property
    def bar(self) -> str:
        """Sign before a line that somebody else wrote."""
        return _BARS[self.mode]


def inspect(stream: TextIO) -> Terminal:
    """Return the abilities of a stream, limited by NO_COLOR, TERM, COLUMNS and the locale."""
    is_terminal = _is_terminal(stream)
    is_plain = settings.is_plain()
    # Emacs and others show text, but cannot move a cursor.
    can_redraw = os.environ.get("TERM", "") != "dumb" and not is_plain
    is_interactive = is_terminal and can_redraw
    width, height = _size(stream) if is_terminal else (None, _DEFAULT_HEIGHT)
    return Terminal(
        interactive=is_interactive,
        colour=is_interactive and not os.environ.get("NO_COLOR"),
        unicode=shows_unicode(stream),
        width=None if is_plain else width,
        height=height,
        plain=is_plain,
    )


def shows_unicode(stream: TextIO) -> bool:
    """Return whether characters outside ASCII are readable behind a stream.

    Python writes UTF-8 in the locale C, which such a terminal shows as other characters.
    """
    # `utf8`, `UTF-8`, `utf-8-sig`
    encoding = str(stream.encoding).lower().replace("-", "")
    has_unicode = _OTHER_ENCODING.match(_locale()) is None
    return encoding.startswith("utf") and has_unicode


def _locale() -> str:
    """Return the user's locale, "" if no variable sets it."""
    variables = ["LC_ALL", "LC_CTYPE", "LANG"]
    if os.environ.get("LC_CTYPE") == _LOCALE_OF_PYTHON:
        variables.remove("LC_CTYPE")
    return next(filter(None, map(os.environ.get, variables)), "")


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
