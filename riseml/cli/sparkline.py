"""Curves of the last minute in a few characters."""

from collections.abc import Sequence

from riseml.cli.terminal import Mode, Terminal

WIDTH = 10
"""Characters of a curve."""
READINGS = 60
"""Readings of a curve; with one a second, it shows the last minute."""

_LEVELS: dict[Mode, str] = {"unicode": "▁▂▃▄▅▆▇█", "ascii": "_.-:=+*#", "plain": ""}


def draw(values: Sequence[float], most: float, screen: Terminal) -> str:
    """Return the curve of values from 0 to `most`, the newest one at the right.

    Each character has the mean of some readings. It is empty where there is no curve: in
    plain mode, and before there are two readings.
    """
    levels = _LEVELS[screen.mode]
    if not levels or len(values) < 2 or most <= 0:  # noqa: PLR2004
        return ""
    curve = ""
    for group in _groups(values):
        mean = sum(group) / len(group)
        level = round(mean / most * (len(levels) - 1))
        curve += levels[min(max(level, 0), len(levels) - 1)]
    return curve.rjust(WIDTH)


def _groups(values: Sequence[float]) -> list[Sequence[float]]:
    """Return the values in groups of equal size, the last of which is complete."""
    size = READINGS // WIDTH
    recent = values[-READINGS:]
    groups = []
    for end in range(len(recent), 0, -size):
        groups.append(recent[max(0, end - size) : end])
    return groups[::-1]
