"""Plain fitted columns: no borders, one blank between, shortened or dropped before a line would wrap; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from riseml.cli.terminal import Terminal


@dataclass(frozen=True)
class Column:
    """A column: its title, least width, and how it yields where the terminal is narrow.

    `shortest` is the width that it may be cut to (None: never cut); columns with a `drop` go, the highest first.
    `styles` maps a cell's text to its style.
    """

    title: str
    width: int = 0
    shortest: int | None = None
    drop: int = 0
    right: bool = False
    styles: Mapping[str, str] = field(default_factory=dict)


def render(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    terminal: Terminal,
    *,
    headers: bool = True,
) -> list[str]:
    """Return the lines of a table."""
    cells = (
        [[clean(cell) for cell in column] for column in zip(*rows, strict=True)]
        if rows
        else [[] for _ in columns]
    )
    content = [
        max(cells_wide(column.title) if headers else 0, *map(cells_wide, texts), 0)
        for column, texts in zip(columns, cells, strict=True)
    ]
    widths = fit(columns, content, terminal.width)
    shown = [index for index, width in enumerate(widths) if width]
    finished = [_column(columns[i], cells[i], widths[i], terminal) for i in shown]
    lines = [" ".join(line).rstrip() for line in zip(*finished, strict=True)]
    if headers:
        title = " ".join(
            _pad(columns[i].title, widths[i], terminal, right=columns[i].right)
            for i in shown
        )
        lines.insert(0, terminal.paint(title.rstrip(), "bold"))
    return lines


def fit(
    columns: Sequence[Column], content: Sequence[int], limit: int | None
) -> list[int]:
    """Return the widths (0: dropped) that bring columns with such content onto a line of `limit` cells.

    First blanks beyond the content go, then long cells are cut, then columns are dropped and it begins again.
    """
    shown = set(range(len(columns)))
    while True:
        widths = [
            max(column.width, content[i]) if i in shown else 0
            for i, column in enumerate(columns)
        ]
        if limit is None:
            return widths
        room = limit - max(len(shown) - 1, 0)
        _narrow(widths, {i: content[i] for i in shown}, room)
        _narrow(
            widths,
            {
                i: c.shortest
                for i, c in enumerate(columns)
                if i in shown and c.shortest is not None
            },
            room,
        )
        droppable = [i for i in shown if columns[i].drop]
        if sum(widths) <= room or not droppable:
            return widths
        shown.remove(max(droppable, key=lambda i: columns[i].drop))


def _narrow(widths: list[int], least: Mapping[int, int], room: int) -> None:
    """Take from the widest of the columns named in `least`, down to what it says, until all fit the room."""
    while (excess := sum(widths) - room) > 0:
        soft = sorted(
            (i for i, floor in least.items() if widths[i] > max(floor, 1)),
            key=lambda i: -widths[i],
        )
        if not soft:
            return
        widest, second = soft[0], widths[soft[1]] if len(soft) > 1 else 0
        floor = max(least[widest], 1, min(second, widths[widest] - 1))
        widths[widest] = max(floor, widths[widest] - excess)


def shorten(text: str, width: int, *, unicode: bool = True) -> str:
    """Return `text` cut to `width` cells, an ellipsis saying so."""
    if cells_wide(text) <= width:
        return text
    mark = "…" if unicode else "..."
    kept, room = "", width - len(mark)
    for character in text:
        room -= cells_wide(character)
        if room < 0:
            break
        kept += character
    return (kept + mark)[:width] if width else ""


def cells_wide(text: str) -> int:
    """Return how many cells of a terminal `text` takes."""
    return len(text) if text.isascii() else _wide(text)


def clean(text: str) -> str:
    """Return `text` on one line and without control characters, which could move the cursor."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


@lru_cache(maxsize=4096)
def _wide(text: str) -> int:
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text
    )


def _column(
    column: Column, texts: Sequence[str], width: int, terminal: Terminal
) -> Iterable[str]:
    if terminal.colour and column.styles:
        return [
            terminal.paint(
                _pad(text, width, terminal, right=column.right),
                column.styles.get(text, ""),
            )
            for text in texts
        ]
    return [_pad(text, width, terminal, right=column.right) for text in texts]


def _pad(text: str, width: int, terminal: Terminal, *, right: bool) -> str:
    if len(text) <= width and text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    text = shorten(text, width, unicode=terminal.unicode)
    blanks = " " * (width - cells_wide(text))
    return blanks + text if right else text + blanks
