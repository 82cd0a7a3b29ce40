"""Log lines of several jobs on one screen or in one file.

    14.1.train   | epoch 1 loss 0.5
    14.worker.2  | --> RUNNING

A progress bar, which overwrites its line by carriage returns, shows its last state. On a
terminal, the unfinished line of a job stands below all others and is redrawn in place.
Elsewhere it is written when it ends.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from riseml.cli import statuses
from riseml.cli.table import cells_wide, clean, shorten
from riseml.cli.terminal import Mode, Terminal
from riseml.dataclass import dataclass
from riseml.engines import Change, Chunk
from riseml.phrases import local_time

if TYPE_CHECKING:
    from riseml.cli.line_search import LineSearch

# A job that never ends its line must not fill the memory. A longer line is broken on a
# terminal. In a file, that of a single job is written in parts.
_MAX_LINE_BYTES = 1 << 20
# In a file, the lines of several jobs must not mix.
_MAX_PREFIXED_BYTES = 16 << 20
_DEFAULT_WIDTH = 80
# SGR numbers, ordered so that neighbours differ well
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
# Select Graphic Rendition: the escape sequences of colours and styles
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
_PREFIXES: dict[Mode, str] = {"unicode": "{0} |", "ascii": "{0} |", "plain": "{1}:"}
_STATE_SIGNS: dict[Mode, str] = {"unicode": "-->", "ascii": "-->", "plain": "State:"}
_TERMINAL_STATES = frozenset({"FINISHED", "FAILED", "KILLED"})


@dataclass
class _Writer:
    """State of one job: its unfinished line, and the colour that it has set.

    `is_begun` is whether the beginning of the line was written already. `owner` is the
    prefix without a time.
    """

    owner: bytes
    prefix: bytes
    unfinished: bytes = b""
    colour: bytes = b""
    is_begun: bool = False


class Stream:
    """Writer of chunks and changes to `out`.

    `names` are the ids of the expected jobs, for the width of the prefix. Without
    `prefixed`, the lines of a single job are written as they are. With `timed`, each line
    begins with its time. With `grep`, only matching lines are written, and no states.
    """

    def __init__(
        self,
        out: BinaryIO,
        terminal: Terminal,
        names: Iterable[str] = (),
        *,
        prefixed: bool = True,
        timed: bool = False,
        grep: re.Pattern[bytes] | None = None,
    ) -> None:
        self._out = out
        self._terminal = terminal
        self._prefixed, self._timed = prefixed, timed
        self._search = _search(grep)
        self._width = max(map(len, names), default=0)
        self._writers: dict[str, _Writer] = {}
        # The writer of the line that stands below all others
        self._bottom: _Writer | None = None

    def chunk(self, chunk: Chunk) -> None:
        """Write what a job has written."""
        writer = self._writer(chunk.job, chunk.time)
        self._erase_bottom()
        # Python copies nothing if the first part is empty.
        data = writer.unfinished + chunk.data
        end = data.rfind(b"\n") + 1
        if end:
            self._write_lines(writer, data[:end])
            writer.is_begun = False
        writer.unfinished = without_overwritten(data[end:])
        if len(writer.unfinished) > _MAX_LINE_BYTES:
            self._relieve(writer)
        self._draw_bottom(writer if writer.unfinished else None)
        self._out.flush()

    def change(self, change: Change) -> None:
        """Write that a job or experiment has entered a state."""
        writer = self._writer(change.id, change.time)
        self._erase_bottom()
        # The job will not finish its line any more.
        if change.state in _TERMINAL_STATES or writer.is_begun:
            self._end_line(writer)
        if self._search is None:
            for line in self._state_lines(change):
                self._out.write(writer.prefix + line.encode() + b"\n")
        self._draw_bottom(None)
        self._out.flush()

    def close(self) -> None:
        """Write the lines that the jobs have not finished."""
        self._erase_bottom()
        for writer in self._writers.values():
            self._end_line(writer)
        self._out.flush()

    def _writer(self, name: str, time: datetime | None) -> _Writer:
        writer = self._writers.get(name)
        if writer is None:
            owner = self._next_prefix(name)
            writer = self._writers[name] = _Writer(owner, owner)
        if self._timed:
            stamp = self._terminal.paint(local_time(time) or "-", "dim")
            writer.prefix = f"{writer.owner.decode()}{stamp} ".encode()
        return writer

    def _next_prefix(self, name: str) -> bytes:
        self._width = max(self._width, len(name))
        if not self._prefixed:
            return b""
        colour = _PALETTE[len(self._writers) % len(_PALETTE)]
        title = _PREFIXES[self._terminal.mode].format(name.ljust(self._width), name)
        return f"{self._terminal.paint(title, colour)} ".encode()

    def _write_lines(self, writer: _Writer, data: bytes) -> None:
        if not self._is_plain(writer, data):
            for line in data[:-1].split(b"\n"):
                self._write_line(writer, line)
        elif self._search is not None:
            lines = self._search.lines(data)
            # Each of them begins with the prefix, also the first.
            self._out.write(writer.prefix.join([b"", *lines]))
        elif writer.prefix:
            # One replacement for all lines is many times faster than a loop. The prefix
            # that follows the last line is left out without another copy.
            prefix = writer.prefix
            prefixed = memoryview(data.replace(b"\n", b"\n" + prefix))
            self._out.write(prefix)
            self._out.write(prefixed[: -len(prefix)])
        else:
            self._out.write(data)

    def _is_plain(self, writer: _Writer, data: bytes) -> bool:
        """Return whether lines can be written without a look at each of them."""
        if writer.colour or b"\r" in data:
            return False
        # A file keeps the colours of the jobs as they are, but no pattern matches them.
        keeps_colours = self._search is None and not self._terminal.interactive
        return keeps_colours or b"\x1b" not in data

    def _write_line(self, writer: _Writer, line: bytes) -> None:
        text = without_overwritten(line).removesuffix(b"\r")
        # A pattern matches what people see, which has no colours.
        if self._search and not self._search.matches(without_escapes(text)):
            return
        if self._terminal.interactive and self._terminal.colour:
            text = self._continue_colour(writer, text)
        elif self._terminal.interactive:
            text = _SGR.sub(b"", text)
        self._out.write(writer.prefix + text + b"\n")

    def _continue_colour(self, writer: _Writer, text: bytes) -> bytes:
        """Return a line in the last colour of its job, reset at its end.

        Otherwise the colour would extend to the prefix of the next line.
        """
        initial = writer.colour
        for sequence in _SGR.findall(text):
            writer.colour = b"" if sequence in {b"\x1b[m", _RESET} else sequence
        return initial + text + (_RESET if initial or writer.colour else b"")

    def _relieve(self, writer: _Writer) -> None:
        """Write the beginning of a long line, or break it where other lines may follow."""
        if self._terminal.interactive or self._search is not None:
            self._end_line(writer)
        elif not writer.prefix:
            self._out.write(writer.unfinished)
            writer.unfinished, writer.is_begun = b"", True
        elif len(writer.unfinished) > _MAX_PREFIXED_BYTES:
            self._end_line(writer)

    def _end_line(self, writer: _Writer) -> None:
        if not writer.unfinished and not writer.is_begun:
            return
        writer.is_begun = False
        line, writer.unfinished = writer.unfinished, b""
        self._write_line(writer, line)
        if self._bottom is writer:
            self._bottom = None

    def _erase_bottom(self) -> None:
        if self._bottom is not None:
            self._out.write(_ERASE)

    def _draw_bottom(self, writer: _Writer | None) -> None:
        """Draw the unfinished line of `writer`, or the former one if it is None.

        The former line has been erased.
        """
        if not self._terminal.interactive or self._search is not None:
            return
        if writer is not None:
            self._bottom = writer
        if self._bottom is None or not self._bottom.unfinished:
            self._bottom = None
            return
        line = without_escapes(self._bottom.unfinished.removesuffix(b"\r"))
        prefix_width = cells_wide(without_escapes(self._bottom.prefix).decode())
        # A full line would move the cursor to the next one, which cannot be erased.
        room = (self._terminal.width or _DEFAULT_WIDTH) - 1 - prefix_width
        text = shorten(
            clean(line.decode("utf-8", "replace")),
            max(room, 1),
            unicode=self._terminal.unicode,
        )
        self._out.write(self._bottom.prefix + text.encode("utf-8", "replace"))

    def _state_lines(self, change: Change) -> list[str]:
        colour = STATE_COLOURS.get(change.state, "")
        sign = _STATE_SIGNS[self._terminal.mode]
        lines = [self._terminal.paint(f"{sign} {change.state}", colour)]
        message = statuses.message(change)
        details = {"Reason": change.reason, "Message": message}
        for name, text in details.items():
            if text:
                lines.append(f"{name}: {clean(text)}")
        if change.exit_code is not None:
            lines.append(f"Exit Code: {change.exit_code}")
        return lines


def _search(pattern: re.Pattern[bytes] | None) -> "LineSearch | None":
    if pattern is None:
        return None
    # Most logs are shown in full.
    from riseml.cli.line_search import LineSearch

    return LineSearch(pattern)


def without_escapes(text: bytes) -> bytes:
    """Return text without colours and other escape sequences."""
    return _ESCAPE.sub(b"", text)


def without_overwritten(line: bytes) -> bytes:
    """Return what is visible of a line after its carriage returns.

    A final one stays, because the rest of the line may still follow.
    """
    if b"\r" not in line:
        return line
    body = line.rstrip(b"\r")
    visible = body[body.rfind(b"\r") + 1 :]
    return visible + b"\r" if len(body) < len(line) else visible
