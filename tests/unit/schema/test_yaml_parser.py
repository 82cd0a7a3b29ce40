"""Parsers in C and in Python."""

import pytest

from riseml.config import load_text
from riseml.errors import ConfigError
from riseml.schema import yaml_parser
from tests.riseml_yml import faults_of

GOOD = "project: ab\ntrain: {image: python, resources: {}, run: 'x'}\n"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_does_not_overflow(opening: str) -> None:
    assert (
        "nesting" in faults_of("project: ab\ntrain:\n  " + opening * 100_000)[0].message
    )


@pytest.mark.parametrize(
    "text",
    [GOOD, "a: [1\nb: 2", "a: b: c", "a: 'x", "a: *x", "---\na\n---\nb", "[" * 500],
)
def test_the_parser_in_python_finds_the_same_faults(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome() -> object:
        try:
            return load_text(text)
        except ConfigError as error:
            return [(fault.line, fault.column) for fault in error.faults]

    in_c = outcome()
    monkeypatch.setattr(yaml_parser, "_loader", lambda: yaml_parser._PureLoader)
    assert outcome() == in_c
