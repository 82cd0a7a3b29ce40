"""Log lines of several jobs on one screen, or in one file: prefixes, progress bars, colours, states.

    14.1.train   | epoch 1 loss 0.5
    14.worker.2  | --> RUNNING

A line that a job has overwritten by carriage returns is shown as it was last. On a terminal the line that a job has not
finished yet stands below all others and is redrawn in place; elsewhere it waits for its end.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from riseml.cli.table import cells_wide, clean, shorten
from riseml.cli.terminal import Terminal
from riseml.engines import Change, Chunk

_LONGEST_LINE = (
    1 << 20
)  # bytes without a line end are kept so long, then shown as a line
_PALETTE = (
    "36",
    "33",
    "32",
    "35",
    "34",
    "96",
    "93",
    "92",
    "95",
    "94",
    "91",
    "38;5;208",
    "38;5;141",
    "38;5;80",
    "38;5;180",
)
_SGR = re.compile(rb"\x1b\[[0-9;:]*m")
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])"
)
_RESET = b"\x1b[0m"
_ERASE = b"\r\x1b[K"
STATE_COLOURS = {
    "PENDING": "yellow",
    "BUILDING": "yellow",
    "STARTING": "yellow",
    "RUNNING": "green",
    "FINISHED": "green",
    "FAILED": "red",
    "KILLED": "red",
}


@dataclass
class _Writer:
    """What is kept of one job: the line it has not ended, and the colour it has set."""

    prefix: bytes
    rest: bytes = b""
    colour: bytes = b""


class Stream:
    """Writes chunks and changes to `out`; `names` are the jobs expected, for the width of the prefix.

    Without `prefixed` lines come as they were written, for one job's log. `grep` lets only lines through that it
    matches, and no states.
    """

    def __init__(
        self,
        out: BinaryIO,
        terminal: Terminal,
        names: Iterable[str] = (),
        *,
        prefixed: bool = True,
        grep: re.Pattern[bytes] | None = None,
    ) -> None:
        self._out = out
        self._terminal = terminal
        self._prefixed = prefixed
        self._grep = grep
        self._width = max(map(len, names), default=0)
        self._writers: dict[str, _Writer] = {}
        self._open: _Writer | None = None

    def chunk(self, chunk: Chunk) -> None:
        """Show what a job wrote."""
        writer = self._writer(chunk.job)
        self._erase()
        data = writer.rest + chunk.data if writer.rest else chunk.data
        end = data.rfind(b"\n") + 1
        if end:
            self._lines(writer, data[:end])
        writer.rest = _collapse(data[end:])
        if len(writer.rest) > _LONGEST_LINE:
            self._end_line(writer)
        self._redraw(writer if writer.rest else None)
        self._out.flush()

    def change(self, change: Change) -> None:
        """Show that a job or experiment came into a state."""
        writer = self._writer(change.id)
        self._erase()
        if change.state in {"FINISHED", "FAILED", "KILLED"}:
            self._end_line(writer)
        if self._grep is None:
            self._out.write(
                b"".join(writer.prefix + line + b"\n" for line in self._state(change))
            )
        self._redraw(None)
        self._out.flush()

    def close(self) -> None:
        """Show what was not ended by a line end."""
        self._erase()
        for writer in self._writers.values():
            self._end_line(writer)
        self._out.flush()

    def _writer(self, name: str) -> _Writer:
        if name not in self._writers:
            colour = _PALETTE[len(self._writers) % len(_PALETTE)]
            self._width = max(self._width, len(name))
            prefix = (
                self._terminal.paint(f"{name:{self._width}} |", colour) + " "
                if self._prefixed
                else ""
            )
            self._writers[name] = _Writer(prefix.encode())
        return self._writers[name]

    def _lines(self, writer: _Writer, data: bytes) -> None:
        plain = (
            b"\r" not in data
            and not writer.colour
            and (b"\x1b" not in data or not self._terminal.interactive)
        )
        if plain and self._grep is None:
            prefix = writer.prefix
            self._out.write(
                prefix + data[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
                if prefix
                else data
            )
            return
        for line in data[:-1].split(b"\n"):
            self._line(writer, line)

    def _line(self, writer: _Writer, line: bytes) -> None:
        text = _collapse(line).removesuffix(b"\r")
        if self._grep is not None and not self._grep.search(_ESCAPE.sub(b"", text)):
            return
        if self._terminal.interactive:
            text = (
                self._coloured(writer, text)
                if self._terminal.colour
                else _SGR.sub(b"", text)
            )
        self._out.write(writer.prefix + text + b"\n")

    def _coloured(self, writer: _Writer, text: bytes) -> bytes:
        """Go on in the job's last colour, and leave none behind for the next prefix."""
        before = writer.colour
        for sequence in _SGR.findall(text):
            writer.colour = b"" if sequence in {b"\x1b[m", _RESET} else sequence
        return before + text + (_RESET if before or writer.colour else b"")

    def _end_line(self, writer: _Writer) -> None:
        if writer.rest:
            line, writer.rest = writer.rest, b""
            self._line(writer, line)
            if self._open is writer:
                self._open = None

    def _erase(self) -> None:
        if self._open is not None:
            self._out.write(_ERASE)

    def _redraw(self, writer: _Writer | None) -> None:
        """Show the unfinished line of `writer`, else of the one shown before; erased already."""
        if not self._terminal.interactive or self._grep is not None:
            return
        if writer is not None:
            self._open = writer
        if self._open is None or not self._open.rest:
            self._open = None
            return
        text = clean(
            _ESCAPE.sub(b"", self._open.rest.removesuffix(b"\r")).decode(
                "utf-8", "replace"
            )
        )
        room = (
            (self._terminal.width or 80)
            - 1
            - cells_wide(_ESCAPE.sub(b"", self._open.prefix).decode())
        )
        shown = shorten(text, max(room, 1), unicode=self._terminal.unicode)
        self._out.write(self._open.prefix + shown.encode("utf-8", "replace"))

    def _state(self, change: Change) -> list[bytes]:
        exit_code = "" if change.exit_code is None else str(change.exit_code)
        details = (
            ("Reason", change.reason),
            ("Message", change.message),
            ("Exit Code", exit_code),
        )
        arrow = self._terminal.paint(
            f"--> {change.state}", STATE_COLOURS.get(change.state, "")
        )
        return [
            line.encode()
            for line in (
                arrow,
                *(f"{name}: {clean(text)}" for name, text in details if text),
            )
        ]


def _collapse(line: bytes) -> bytes:
    """Return what is left of a line after its carriage returns: the last state that says something."""
    if b"\r" not in line:
        return line
    body = line.rstrip(b"\r")
    return body[body.rfind(b"\r") + 1 :] + (b"\r" if len(body) < len(line) else b"")
