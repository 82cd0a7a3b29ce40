"""Line with a bar that fits a terminal; pure.

model.pt [#########---------------] 38% of 1.2 GB, 12.3 MB/s, 4 seconds left
"""

from collections.abc import Sequence

from riseml.cli.table import cells_wide, shorten

_LONGEST, _SHORTEST = 24, 8
# A shorter title would not identify a file.
_SHORTEST_TITLE = 12


def line(
    title: str, share: float, details: Sequence[str], width: int, *, unicode: bool
) -> str:
    """Return a line of fewer than `width` cells: a line that wraps cannot be erased.

    `share` is between 0 and 1. On a narrow terminal, the title is cut first, then the
    last details are left out, and then the bar.
    """
    room = width - 1
    visible = list(details)
    least = _SHORTEST_TITLE + _SHORTEST + len("[]") + 2
    while len(visible) > 1 and least + len(", ".join(visible)) > room:
        del visible[-1]
    phrase = ", ".join(visible)
    room_for_title = room - len(phrase) - _SHORTEST - len("[]") - 2
    if room_for_title < _SHORTEST_TITLE:
        return shorten(f"{phrase} {title}", room, unicode=unicode)
    title = shorten(title, room_for_title, unicode=unicode)
    length = _SHORTEST + room_for_title - cells_wide(title)
    length = min(length, _LONGEST)
    filled = round(share * length)
    return f"{title} [{'#' * filled}{'-' * (length - filled)}] {phrase}"
