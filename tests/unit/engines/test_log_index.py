"""Times of the lines of a log, from its index."""

import pytest

from riseml.engines import log_index

INDEX = [(100.0, 4), (101.0, 7), (102.5, 8)]
LOG = b"aa\nbbbb\ncc\n"


def test_the_last_entry_may_be_half_written() -> None:
    assert log_index.parse("100 4\n101.5 7\n102") == [(100.0, 4), (101.5, 7)]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # The second line was complete when the log had 8 bytes.
        (0, [(100.0, b"aa\n"), (102.5, b"bbbb\n"), (200.0, b"cc\n")]),
        (3, [(102.5, b"bbbb\n"), (200.0, b"cc\n")]),
        (8, [(200.0, b"cc\n")]),
    ],
)
def test_a_line_has_the_time_at_which_it_was_complete(
    start: int, expected: list[tuple[float, bytes]]
) -> None:
    assert list(log_index.timed(LOG[start:], start, INDEX, 200.0)) == expected


def test_the_rest_of_a_long_line_has_the_time_of_its_end() -> None:
    assert list(log_index.timed(b"bbb", 3, INDEX, 200.0)) == [(101.0, b"bbb")]
    assert list(log_index.timed(b"bbbb", 3, INDEX, 200.0)) == [(101.0, b"bbbb")]
    assert list(log_index.timed(b"", 3, INDEX, 200.0)) == []


def test_without_an_index_all_lines_have_the_latest_time() -> None:
    assert list(log_index.timed(LOG, 0, [], 200.0)) == [(200.0, LOG)]
