"""Excerpts of users' text in messages."""

import pytest

from riseml import ids
from riseml.errors import InvalidInputError, RiseMLError
from riseml.excerpts import (
    counted,
    excerpt,
    first_of,
    listed,
    printable,
    readable,
    with_excerpts,
)


def test_an_excerpt_is_one_short_line() -> None:
    assert excerpt("a\nb") == "a\N{REPLACEMENT CHARACTER}b"
    assert excerpt("x" * 60) == "x" * 60
    assert excerpt("x" * 61) == "x" * 59 + "…"
    assert excerpt("x" * 61, 200) == "x" * 61


def test_a_printable_text_has_its_length() -> None:
    assert printable("a\x1b[0m\u202eb\udce9") == "a\ufffd[0m\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ("short, with 'quotes'", "short, with 'quotes'"),
        ("two\nlines\tand a tab\n", "two\nlines\tand a tab\n"),
        ("colours \x1b[31m and \x9b31m", "colours \ufffd[31m and \ufffd31m"),
        (f"no file /{'x' * 300}.txt", f"no file /{'x' * 132}…{'x' * 62}.txt"),
        (f"no '{'a ' * 150}'.", f"no '{'a ' * 66}…{' a' * 32} '."),
        ("ä" * 200, "ä" * 200),
    ],
)
def test_a_message_is_readable_whatever_it_quotes(message: str, result: str) -> None:
    assert readable(message) == result


def test_no_line_is_longer_than_any_sentence_of_ours() -> None:
    shown = readable("a b " * 1000)
    assert len(shown) == 800
    assert shown.startswith("a b a b")
    assert "…" in shown


def test_long_texts_are_replaced_wherever_they_are_quoted() -> None:
    value = "lorem ipsum " * 50
    message = f"no '{value}' in {value}, only x"
    quoted = excerpt(value)
    expected = f"no '{quoted}' in {quoted}, only x"
    assert with_excerpts(message, [value, "x"]) == expected


def test_every_error_is_readable() -> None:
    error = RiseMLError(f"no \x1b[2J{'x' * 300}", "Use \x07.")
    assert str(error) == readable(f"no \x1b[2J{'x' * 300}")
    assert error.advice == "Use \ufffd."
    with pytest.raises(InvalidInputError) as caught:
        ids.parse("lorem ipsum " * 50)
    assert len(str(caught.value)) < 100
    with pytest.raises(InvalidInputError, match="is not an id"):
        ids.parse("9" * 5000)


def test_lists_of_words_are_cut() -> None:
    words = ["a", "b", "c"]
    assert first_of(words, 3) == counted(words, 3) == "a, b, c"
    assert first_of(words, 2) == "a, b, ..."
    assert counted(words, 1) == "a and 2 more"
    assert first_of([], 2) == counted([], 2) == ""


def test_no_words_have_a_word_of_their_own() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == "none"
    assert listed([], "nobody") == "nobody"
