"""Fitted columns."""

import pytest

from riseml.cli.table import Column, cells_wide, clean, fit, render, shorten
from riseml.cli.terminal import Terminal

COLUMNS = [
    Column("ID", 4),
    Column("NAME", 12, shortest=5, drop=1),
    Column("STATE"),
    Column("NOTE", shortest=4),
]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, [4, 12, 8, 20]),
        (47, [4, 12, 8, 20]),
        (46, [4, 11, 8, 20]),
        (43, [4, 8, 8, 20]),
        (38, [3, 8, 8, 16]),
        (30, [3, 8, 8, 8]),
        (24, [3, 5, 8, 5]),
        (22, [3, 0, 8, 9]),
        (18, [3, 0, 8, 5]),
        (5, [3, 0, 8, 4]),
    ],
)
def test_fit(limit: int | None, expected: list[int]) -> None:
    assert fit(COLUMNS, [3, 8, 8, 20], limit) == expected


@pytest.mark.parametrize(
    ("text", "width", "shortened"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_shorten(text: str, width: int, shortened: str) -> None:
    assert shorten(text, width) == shortened
    assert cells_wide(shortened) <= width


def test_dots_replace_the_ellipsis_without_unicode() -> None:
    assert shorten("abcdef", 5, unicode=False) == "ab..."
    assert shorten("abcdef", 2, unicode=False) == ".."


def test_control_characters_cannot_move_the_cursor() -> None:
    assert clean("a\x1b[2Jb\r\nc\tü") == "a [2Jb  c ü"


def test_lines_never_exceed_the_width() -> None:
    rows = [
        ["1", "a long name indeed", "RUNNING", "what\never 日本語 " * 5],
        ["1000", "x", "FAILED", ""],
    ]
    for width in range(18, 120):
        lines = render(COLUMNS, rows, Terminal(interactive=True, width=width))
        assert max(map(cells_wide, lines)) <= width


def test_styles_do_not_count_towards_the_width() -> None:
    columns = [Column("S", 5, styles={"ok": "green"}), Column("N", right=True)]
    lines = render(
        columns,
        [["ok", "5"], ["no", "12"]],
        Terminal(interactive=True, colour=True, width=80),
    )
    assert lines == ["\x1b[1mS      N\x1b[0m", "\x1b[32mok   \x1b[0m  5", "no    12"]


def test_a_table_without_rows_has_titles() -> None:
    assert render(COLUMNS, [], Terminal()) == ["ID   NAME         STATE NOTE"]
    assert render(COLUMNS, [], Terminal(), headers=False) == []
