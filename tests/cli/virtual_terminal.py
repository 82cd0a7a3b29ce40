"""Terminal in memory: what a user sees after a command has written its codes."""

import re

_CODE = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])")


class VirtualTerminal:
    """The lines of a terminal, and those of its alternate screen.

    Only the codes that RiseML writes are known; any other one raises an error.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.normal: list[str] = [""]
        self.alternate: list[str] | None = None
        self.wraps = self.shows_cursor = True
        self._row = 0
        self._column = 0

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that is visible, without blanks at their ends."""
        visible = self.normal if self.alternate is None else self.alternate
        return [line.rstrip() for line in visible]

    def feed(self, text: str) -> None:
        """Write to the terminal."""
        position = 0
        while position < len(text):
            code = _CODE.match(text, position)
            if code:
                self._obey(code[1], code[2], code[3])
                position = code.end()
            else:
                self._put(text[position])
                position += 1

    def _obey(self, private: str, number: str, letter: str) -> None:
        match private, number, letter:
            case "?", "1049", "h":
                self._kept = self._row, self._column
                self.alternate, self._row, self._column = [""], 0, 0
            case "?", "1049", "l":
                self.alternate = None
                self._row, self._column = self._kept
            case "?", "25", _:
                self.shows_cursor = letter == "h"
            case "?", "7", _:
                self.wraps = letter == "h"
            case "", "", "H":
                self._row = self._column = 0
            case "", "", "K":
                self._screen[self._row] = self._screen[self._row][: self._column]
            case "", "", "J":
                self._screen[self._row] = self._screen[self._row][: self._column]
                del self._screen[self._row + 1 :]
            case "", _, "m":
                pass  # Colors change no character.
            case _:
                raise AssertionError(f"unknown code {private}{number}{letter}")

    @property
    def _screen(self) -> list[str]:
        return self.normal if self.alternate is None else self.alternate

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            # The kernel's terminal driver writes \r before it.
            self._row, self._column = self._row + 1, 0
            if self._row == len(self._screen):
                self._screen.append("")
            assert self.alternate is None or self._row < self.height, "it scrolls"
        elif self._column < self.width or self.wraps:
            line = self._screen[self._row].ljust(self._column)
            self._screen[self._row] = (
                line[: self._column] + character + line[self._column + 1 :]
            )
            self._column += 1
