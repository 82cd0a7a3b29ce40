"""Control characters in users' text."""

import re

import pytest

from riseml.excerpts import printable
from riseml.schema.texts import CONTROL, CONTROL_BUT_LINES, control_in, joined, within


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x9f", "\u2028"])
def test_control_characters(character: str) -> None:
    assert control_in(f"a{character}b") == character
    assert re.search(f"[{CONTROL}]", character)
    assert printable(character) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("character", ["\n", "\t"])
def test_line_breaks_and_tabs_are_allowed_in_lines(character: str) -> None:
    assert control_in(character) == character
    assert control_in(character, lines=True) is None
    assert not re.search(f"[{CONTROL_BUT_LINES}]", character)


def test_plain_text_has_no_control_characters() -> None:
    assert control_in("größe -_\u00a0") is None


def test_a_lone_surrogate_cannot_be_encoded() -> None:
    assert control_in("\ud800", lines=True) == "\ud800"


def test_names_of_mappings() -> None:
    assert (within(""), within("train")) == ("", " in train")
    assert (joined("", "train"), joined("train", "run")) == ("train", "train.run")
