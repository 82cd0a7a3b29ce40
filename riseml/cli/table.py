"""Plain fitted columns without borders; pure.

One blank separates columns. Cells are shortened, and then columns are dropped, before a
line would wrap. Plain mode has no columns: each cell follows its title.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial

from riseml.cli.terminal import Terminal
from riseml.dataclass import dataclass, field


@dataclass(frozen=True)
class Column:
    """A column: its title, minimal width, and how it yields on a narrow terminal.

    `shortest` is the width that it may be cut to (None: never cut). Columns with a
    `drop` can be left out, the highest first. `styles` maps a cell's text to its style.
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
    """Return the lines of a table; in plain mode, a statement for each row."""
    titles = [column.title if headers else "" for column in columns]
    if terminal.plain:
        return list(map(partial(_statement, titles), rows))
    # The titles are the first row, so that a table without rows has columns too.
    cells = [_map(clean, texts) for texts in zip(titles, *rows, strict=True)]
    content = [max(map(cells_wide, set(texts))) for texts in cells]
    widths = fit(columns, content, terminal.width)
    padded = []
    for column, texts, width in zip(columns, cells, widths, strict=True):
        if width:
            padded.append(_pad_column(column, texts, width, terminal))
    lines = [" ".join(row).rstrip() for row in zip(*padded, strict=True)]
    if not headers:
        return lines[1:]
    header = "".join(lines[:1])
    return [terminal.paint(header, "bold"), *lines[1:]]


def _map(function: Callable[[str], str], texts: Sequence[str]) -> list[str]:
    """Return the results for the cells of a column.

    Many of them are equal, and a table of 2,000 rows takes half of the time.
    """
    results = {text: function(text) for text in set(texts)}
    return list(map(results.__getitem__, texts))


def _statement(titles: Sequence[str], row: Sequence[str]) -> str:
    """Return a row as `ID 16, STATE RUNNING`, without the cells that say nothing."""
    phrases = []
    for title, cell in zip(titles, row, strict=True):
        text = clean(cell).strip()
        if text not in {"", "-"}:
            phrases.append(f"{title} {text}".strip())
    return ", ".join(phrases)


def fit(
    columns: Sequence[Column], content: Sequence[int], limit: int | None
) -> list[int]:
    """Return the widths that bring columns onto a line of `limit` cells; 0 is dropped.

    `content` are the widths of the longest cells. Blanks beyond the content go first.
    Then long cells are cut. If that is not enough, a column is dropped, and the others
    start again from their full widths.
    """
    visible = list(range(len(columns)))
    while True:
        widths = [0] * len(columns)
        for index in visible:
            widths[index] = max(columns[index].width, content[index])
        if limit is None:
            return widths
        room = limit - max(len(visible) - 1, 0)
        _narrow(widths, {index: content[index] for index in visible}, room)
        _narrow(widths, _shortest(columns, visible), room)
        droppable = [index for index in visible if columns[index].drop]
        if sum(widths) <= room or not droppable:
            return widths
        visible.remove(max(droppable, key=lambda index: columns[index].drop))


def _shortest(columns: Sequence[Column], visible: Sequence[int]) -> dict[int, int]:
    """Return the least widths of the columns that may be cut."""
    widths = {}
    for index in visible:
        shortest = columns[index].shortest
        if shortest is not None:
            widths[index] = shortest
    return widths


def _narrow(widths: list[int], least: Mapping[int, int], room: int) -> None:
    """Narrow the columns in `least` until all columns fit the room.

    The widest column yields first, until it is as narrow as the next one.
    """
    while (excess := sum(widths) - room) > 0:
        flexible = [
            index for index, floor in least.items() if widths[index] > max(floor, 1)
        ]
        if not flexible:
            return
        flexible.sort(key=lambda index: -widths[index])
        widest = flexible[0]
        # Zero stands for the second column where only one can yield.
        second_width = [*map(widths.__getitem__, flexible), 0][1]
        next_step = min(second_width, widths[widest] - 1)
        floor = max(least[widest], 1, next_step)
        widths[widest] = max(floor, widths[widest] - excess)


def shorten(text: str, width: int, *, unicode: bool = True) -> str:
    """Return `text` cut to `width` cells, with an ellipsis if it was longer."""
    if cells_wide(text) <= width:
        return text
    mark = "…" if unicode else "..."
    shortened, room = "", width - len(mark)
    for character in text:
        room -= cells_wide(character)
        if room < 0:
            break
        shortened += character
    # The mark itself may be too wide.
    return (shortened + mark)[:width]


def cells_wide(text: str) -> int:
    """Return how many cells of a terminal `text` occupies."""
    return len(text) if text.isascii() else _count_cells(text)


def clean(text: str) -> str:
    """Return `text` on one line and without control characters.

    These could move the cursor, and jobs can write them into messages and results.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


# Names and messages of other alphabets recur in every redrawn view.
@lru_cache(maxsize=4096)
def _count_cells(text: str) -> int:
    from unicodedata import combining, east_asian_width

    cells = 0
    for character in text:
        if east_asian_width(character) in "WF":
            cells += 2
        elif not combining(character):
            cells += 1
    return cells


def _pad_column(
    column: Column, texts: Sequence[str], width: int, terminal: Terminal
) -> Iterable[str]:
    pad = partial(_pad, width=width, terminal=terminal, right=column.right)
    padded = _map(pad, texts)
    if not column.styles:
        return padded
    # Escape sequences take no cells, so they are added after padding.
    styles = [column.styles.get(text, "") for text in texts]
    return map(terminal.paint, padded, styles)


def _pad(text: str, width: int, terminal: Terminal, *, right: bool) -> str:
    # Most cells are short and plain, and need neither.
    if not text.isascii() or len(text) > width:
        text = shorten(text, width, unicode=terminal.unicode)
        # Python counts characters, but a character may take two cells, or none.
        width -= cells_wide(text) - len(text)
    return text.rjust(width) if right else text.ljust(width)
