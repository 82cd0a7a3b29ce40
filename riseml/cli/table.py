"""Plain fitted columns: no borders, one blank between, shortened or dropped before a line would wrap; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    columns: Sequence[Column], rows: Sequence[Sequence[str]], terminal: Terminal, *, headers: bool = True
) -> list[str]:
    """Return the lines of a table."""
    cells = [[clean(cell) for cell in column] for column in zip(*rows, strict=True)] if rows else [[] for _ in columns]
    natural = [
        max(column.width, cells_wide(column.title) if headers else 0, *map(cells_wide, texts), 0)
        for column, texts in zip(columns, cells, strict=True)
    ]
    widths = fit([replace(column, width=width) for column, width in zip(columns, natural, strict=True)], terminal.width)
    shown = [index for index, width in enumerate(widths) if width]
    finished = [_column(columns[i], cells[i], widths[i], terminal, last=i == shown[-1]) for i in shown]
    lines = [" ".join(line).rstrip() if not terminal.colour else " ".join(line) for line in zip(*finished, strict=True)]
    if headers:
        title = " ".join(_pad(columns[i].title, widths[i], terminal, right=columns[i].right) for i in shown)
        lines.insert(0, terminal.paint(title.rstrip(), "bold"))
    return lines


def fit(columns: Sequence[Column], width: int | None) -> list[int]:
    """Return the widths (0: dropped) that bring columns of the given widths onto a line of `width`."""
    widths = [column.width for column in columns]
    if width is None:
        return widths
    while (excess := sum(widths) + sum(1 for w in widths if w) - 1 - width) > 0:
        soft = [i for i, c in enumerate(columns) if c.shortest is not None and widths[i] > max(c.shortest, 1)]
        if soft:
            widest = max(soft, key=lambda i: widths[i])
            others = [widths[i] for i in soft if i != widest]
            floor = max(columns[widest].shortest or 1, min(max(others, default=0), widths[widest] - 1))
            widths[widest] = max(floor, widths[widest] - excess)
            continue
        droppable = [i for i, c in enumerate(columns) if c.drop and widths[i]]
        if not droppable:
            break
        dropped = max(droppable, key=lambda i: columns[i].drop)
        widths = [0 if not w or i == dropped else columns[i].width for i, w in enumerate(widths)]
    return widths


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

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def _column(column: Column, texts: Sequence[str], width: int, terminal: Terminal, *, last: bool) -> Iterable[str]:
    if terminal.colour and column.styles:
        return [
            terminal.paint(_pad(text, width, terminal, right=column.right), column.styles.get(text, ""))
            for text in texts
        ]
    if last and not column.right:
        return [shorten(text, width, unicode=terminal.unicode) for text in texts]
    return [_pad(text, width, terminal, right=column.right) for text in texts]


def _pad(text: str, width: int, terminal: Terminal, *, right: bool) -> str:
    text = shorten(text, width, unicode=terminal.unicode)
    blanks = " " * (width - cells_wide(text))
    return blanks + text if right else text + blanks
