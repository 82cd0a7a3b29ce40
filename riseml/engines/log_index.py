"""Index of a log: lines `<seconds since 1970> <bytes>`, of the times at which it had these lengths."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

Entry = tuple[float, int]
"""A time, in seconds since 1970, and the length of the log then."""


def parse(text: str) -> list[Entry]:
    """Return the entries of an index."""
    index = []
    for line in text.splitlines():
        seconds, _, length = line.partition(" ")
        # The last line may be half written.
        if length:
            index.append((float(seconds), int(length)))
    return index


def timed(
    data: bytes, start: int, index: Sequence[Entry], latest: float
) -> Iterator[tuple[float, bytes]]:
    """Yield lines with the time at which they were complete.

    `data` begins at the position `start` of the log. What the index does not contain yet
    has the time `latest`. Times are as exact as the index.
    """
    done, written = 0, latest
    first = bisect_right(index, start, key=_length)
    for position in range(first, len(index)):
        time, length = index[position]
        end = data.rfind(b"\n", done, length - start) + 1
        if end > done:
            yield time, data[done:end]
            done = end
        if length - start >= len(data):
            written = time
            break
    if done < len(data):
        yield written, data[done:]


def _length(entry: Entry) -> int:
    return entry[1]
