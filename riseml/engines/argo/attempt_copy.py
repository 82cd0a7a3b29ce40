"""Copy of the log of one attempt in the output volume, read in pieces.

The run script writes it beside the pod's log. Positions are bytes of the copy. Kubernetes
drops carriage returns at the ends of lines, so only the number of a line is the same in
both.
"""

from typing import NamedTuple, Protocol

from riseml.cluster.store import RunsScripts
from riseml.engines import LogQuery, log_index

PIECE_BYTES = 4 << 20

_READ = 'cd /output; [ ! -f "$1" ] || tail -c "+$(($2 + 1))" "$1" | head -c "$3"'
_SIZE = 'cd /output; if [ -f "$1" ]; then wc -c < "$1"; else echo -1; fi'
_INDEX = 'cd /output; [ ! -f "$1.times" ] || cat "$1.times"'
# The number of $3 lines that follow position $2, as far as they are there, and their bytes.
_COUNT = 'cd /output; tail -c "+$(($2 + 1))" "$1" | head -n "$3" | wc -lc'
# The position of the last $2 lines, none older than $3.
_BEGINNING = """
cd /output
size=$(wc -c < "$1") from=0
if [ -n "$3" ] && [ -f "$1.times" ]; then
  while read -r at length; do [ "${at%.*}" -ge "$3" ] || from=${length:-$from}; done < "$1.times"
fi
if [ -n "$2" ]; then
  lines=$(tail -c "+$((from + 1))" "$1" | head -c "$((size - from))" | tail -n "$2" | wc -c)
  from=$((size - lines))
fi
echo "$((from))"
"""
# The last length that the index has until second $2, and the first one from second $3 on (-1: none).
_WINDOW = """
cd /output
low=0 high=-1
if [ -f "$1.times" ]; then
  while read -r at length; do
    [ -n "$length" ] || continue
    [ "${at%.*}" -gt "$2" ] || low=$length
    [ "${at%.*}" -lt "$3" ] || { high=$length; break; }
  done < "$1.times"
fi
echo "$low $high"
"""


class Window(NamedTuple):
    """Positions between which the copy grew in a period.

    `end` is None if the index of times does not reach the end of the period.
    """

    start: int
    end: int | None


def bounds(query: LogQuery) -> tuple[str, str]:
    """Return the last lines and the start that a query asks for, as scripts take them.

    The start is in seconds since 1970. Without a limit, each is empty.
    """
    tail = "" if query.tail is None else str(query.tail)
    since = "" if query.since is None else str(int(query.since.timestamp()))
    return tail, since


class Shell(RunsScripts, Protocol):
    """What runs scripts over a connection that has to be closed."""

    def close(self) -> None:
        """Close the connection; the next script opens another one."""


class AttemptCopy:
    """One file in the output volume of a user.

    `path` is relative to the volume. Methods raise RiseMLError while the store is
    unavailable.
    """

    def __init__(self, store: Shell, path: str) -> None:
        self._store, self._path = store, path

    def close(self) -> None:
        """Close the connection to the store."""
        self._store.close()

    def size(self) -> int | None:
        """Return the length, None if there is no copy."""
        size = int(self._store.script(_SIZE, self._path) or -1)
        return None if size < 0 else size

    def read(self, start: int, length: int = PIECE_BYTES) -> bytes:
        """Return at most so many bytes from a position on."""
        return self._store.script(_READ, self._path, str(start), str(length))

    def position_after(self, start: int, lines: int, rest: int) -> int | None:
        """Return the position after so many lines, and bytes of the next, from one on.

        It is None if the copy does not have all of these lines yet.
        """
        output = self._store.script(_COUNT, self._path, str(start), str(lines))
        copied, length = map(int, output.split())
        position = start + length + rest
        if copied < lines or position > (self.size() or 0):
            return None
        return position

    def beginning(self, query: LogQuery) -> int:
        """Return the position of the first line that a query asks for."""
        return int(self._store.script(_BEGINNING, self._path, *bounds(query)))

    def index(self) -> list[log_index.Entry]:
        """Return the lengths that the copy had at certain times."""
        text = self._store.script(_INDEX, self._path)
        return log_index.parse(text.decode("ascii", "replace"))

    def window(self, earliest: int, latest: int) -> Window:
        """Return where the copy grew between two times, in seconds since 1970."""
        arguments = (str(earliest), str(latest))
        output = self._store.script(_WINDOW, self._path, *arguments)
        start, end = map(int, output.split())
        return Window(start, None if end < 0 else end)
