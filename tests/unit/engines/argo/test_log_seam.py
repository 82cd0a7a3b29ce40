"""Where the log of a pod goes on in the copy, whose line ends may differ."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml.engines.argo import log_seam

COPY = b"epoch 1\r\nepoch 2\r\nepoch 3\r\nepoch"


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (b"epoch 2\nepoch 3\n", 9),
        (b"epoch 2\r\nepoch 3\r\n", 9),
        (b"epoch", 27),
        (b"epoch 4", None),
        (b"", None),
    ],
)
def test_the_last_position_counts_the_bytes_of_the_copy(
    text: bytes, position: int | None
) -> None:
    assert log_seam.last_position(text, COPY) == position


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (b"epoch 3\nepoch 4\n", 18),
        (b"epoch 2\nepoch 3\nepoch 4\n", 9),
        # The copy goes on otherwise.
        (b"epoch 2\nepoch 5\n", None),
        # Nothing tells a text without a complete line from another one.
        (b"epoch 1", None),
    ],
)
def test_the_only_start_is_where_both_go_on_alike(
    text: bytes, position: int | None
) -> None:
    assert log_seam.only_start(text, COPY) == position


def test_a_line_that_is_repeated_is_no_start() -> None:
    assert log_seam.only_start(b"same\n", b"same\r\nsame\r\n") is None
    assert log_seam.only_start(b"same\nend\n", b"same\r\nsame\r\nend\r\n") == 6


def test_the_end_of_a_text_is_found_with_other_line_ends() -> None:
    assert log_seam.ends_with(b"a\r\nb\r\n", b"b\n")
    assert not log_seam.ends_with(b"a\r\nb\r\nc", b"b\n")


@given(st.lists(st.text("ab\r", max_size=4).map(str.encode), min_size=1, max_size=6))
def test_the_position_after_lines_is_the_start_of_the_next(lines: list[bytes]) -> None:
    ends = [0]
    for line in lines:
        ends.append(ends[-1] + len(line) + 1)
    text = b"".join(line + b"\n" for line in lines)
    for number, (start, end) in enumerate(pairwise(ends)):
        assert log_seam.after_lines(text, number) == start
        assert text[start:end] == lines[number] + b"\n"
