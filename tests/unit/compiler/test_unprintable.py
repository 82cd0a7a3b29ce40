"""Characters that Go escapes: one list for all versions of Python."""

import unicodedata

import pytest

from riseml.compiler.unprintable import is_unprintable

LAST = 0x110000


@pytest.mark.parametrize(
    ("code", "is_escaped"),
    [
        # Assigned in Unicode 15.0, which Python 3.11 does not know yet.
        (0x1FAE8, False),
        (0x1F6DC, False),
        (0x31350, False),
        # Assigned in Unicode 15.1 and 16.0, which Python 3.13 and 3.14 know.
        (0x2EBF0, True),
        (0x1FAE9, True),
        (0x10D40, True),
        # Never printed: controls of music, tags, private use, the last character.
        (0x1D173, True),
        (0xE0001, True),
        (0xF0000, True),
        (0x10FFFF, True),
        # The first and last ones of ranges, and their neighbours.
        (0x1000B, False),
        (0x1000C, True),
        (0x1000D, False),
        (0x1F600, False),
        (0xE0100, False),
        (0xE01EF, False),
        (0xE01F0, True),
    ],
)
def test_the_list_is_that_of_unicode_15(code: int, *, is_escaped: bool) -> None:
    assert is_unprintable(chr(code)) is is_escaped


def test_characters_up_to_ffff_have_escapes_that_json_knows() -> None:
    for code in range(0x10000):
        assert not is_unprintable(chr(code))


def test_this_python_differs_only_in_what_other_versions_of_unicode_assign() -> None:
    version = tuple(map(int, unicodedata.unidata_version.split(".")))
    printed_only_by = {"go": 0, "python": 0}
    for code in range(0x10000, LAST):
        is_printed = not is_unprintable(chr(code))
        if is_printed != chr(code).isprintable():
            printed_only_by["go" if is_printed else "python"] += 1
    if version >= (15, 0, 0):
        assert printed_only_by["go"] == 0
    if version <= (15, 0, 0):
        assert printed_only_by["python"] == 0
