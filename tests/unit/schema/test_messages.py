"""Words about nodes and choices."""

import pytest

from riseml.schema.messages import (
    describe,
    did_you_mean,
    nearest,
    number_text,
    one_of,
    remedy,
)
from riseml.schema.yaml_document import Document
from riseml.schema.yaml_kinds import BOOL, FLOAT, INT, STR


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "a mapping"),
        ("[]", "a list"),
        ("~", "~"),
        ("''", "''"),
        ("3", "the number 3"),
        ("1e-6", "the number 1e-6"),
        ("true", "true"),
        ("x", "'x'"),
        ("!a x", "a value with the tag !a"),
    ],
)
def test_a_node_is_described(text: str, words: str) -> None:
    node = Document("f", text).root()
    assert node
    assert describe(node) == words


@pytest.mark.parametrize(
    ("text", "kinds", "advice"),
    [
        ("~", (STR,), "Give it a value, or remove the key."),
        ("3", (STR,), 'Put it in quotes: "3".'),
        ("'3'", (INT,), "Write it without quotes: 3."),
        ("1_000", (INT,), "Write it without quotes: 1000."),
        ("3.0", (INT,), "Write 3."),
        ("3.5", (INT,), ""),
        ("yes", (BOOL,), "Write true."),
        ("off", (BOOL,), "Write false."),
        ("x", (INT, FLOAT), ""),
        ("[]", (STR,), ""),
    ],
)
def test_a_remedy(text: str, kinds: tuple[str, ...], advice: str) -> None:
    node = Document("f", text).root()
    assert node
    assert remedy(node, kinds) == advice


def test_choices() -> None:
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b", "c"]) == "a, b or c"
    assert nearest("tensorfow", ["pytorch", "tensorflow"]) == "tensorflow"
    assert nearest("x", ["pytorch"]) is None
    assert did_you_mean("gird", ["grid"]) == "Did you mean 'grid'?"
    assert did_you_mean("x", ["grid"], "Choose one.") == "Choose one."


def test_huge_numbers_are_bounds() -> None:
    assert number_text(100_001) == "100,001"
    assert number_text(10**15) == "more than 10^15"
