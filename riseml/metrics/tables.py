"""Reader of CSV files: of Lightning's and Keras's loggers, YOLO's results.csv, and others like them.

The first line has the names of the columns. A column `step` or `epoch` has the steps. A cell
that is not a number has no value.
"""

import csv
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from riseml.metrics.reader import READ_BYTES, FileReader

_STEPS = ("step", "global_step", "iteration", "iter", "epoch")
_DELIMITERS = ",;\t"
NOTHING_TO_READ = 1 << 60
"""More bytes than any file has: nothing of it is of interest."""


@dataclass
class TableReader(FileReader):
    """Reader of one CSV file.

    `header` is the first line. A logger that meets a new name writes the whole file anew.
    With `needs_steps`, a file without a column for steps has no metrics: it may be data.
    """

    needs_steps: bool = False
    header: bytes = b""

    def start(self, offset: int, size: int) -> int:
        """Return where to read on; a short file is always read completely."""
        if size <= READ_BYTES:
            return 0
        return offset

    def begin(self, start: int, read: Callable[[int, int], bytes]) -> int:
        """Start over if the file has another header now."""
        head = read(0, len(self.header)) or self.header
        if start and head == self.header:
            return start
        self.header, self.series = b"", {}
        return 0

    def consume(self, data: bytes, *, is_end: bool = False) -> int:
        """Read the complete lines of what follows in the file."""
        end = len(data)
        if not is_end:
            end = data.rfind(b"\n") + 1
        body = data[:end]
        if not self.header:
            line, line_break, body = body.partition(b"\n")
            self.header = line + line_break
        text = self.header.decode("utf-8-sig", "replace")
        delimiter = max(_DELIMITERS, key=text.count)
        names = _cells(text, delimiter)
        step_name = _step_name(names)
        if names and self.needs_steps and not step_name:
            return NOTHING_TO_READ
        lines = body.decode("utf-8", "replace").splitlines()
        # A line that is no CSV ends the table.
        with suppress(csv.Error):
            for cells in csv.reader(lines, delimiter=delimiter):
                self._read_row(dict(zip(names, cells, strict=False)), step_name)
        return end

    def to_data(self) -> dict[str, Any]:
        """Return what has been read as JSON data."""
        return {"header": self.header.decode("latin-1"), **super().to_data()}

    def restore(self, data: Any) -> None:
        """Continue from what `to_data` wrote."""
        super().restore(data)
        self.header = data["header"].encode("latin-1")

    def _read_row(self, cells: dict[str, str], step_name: str) -> None:
        step = None
        with suppress(KeyError, ValueError):
            step = float(cells[step_name])
        for name, cell in cells.items():
            # Loggers leave cells empty.
            with suppress(ValueError):
                self.add(name, float(cell), step)


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line, without the spaces that some writers pad them with."""
    rows = csv.reader(line.splitlines(), delimiter=delimiter)
    with suppress(csv.Error):
        return [cell.strip() for cell in next(rows, [])]
    return []


def _step_name(names: list[str]) -> str:
    """Return the name of the column with the steps, empty if there is none."""
    by_lowered = {name.lower(): name for name in names}
    lowered = next(filter(by_lowered.get, _STEPS), "")
    return by_lowered.get(lowered, "")
