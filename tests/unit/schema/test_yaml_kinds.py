"""Kinds of plain scalars in YAML's core schema, and the values of numbers."""

from decimal import Decimal

import pytest

from riseml.schema.yaml_kinds import BOOL, FLOAT, INT, NULL, STR, decimal_of, kind_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", NULL), ("~", NULL), ("null", NULL), ("nUll", STR),
        ("true", BOOL), ("FALSE", BOOL), ("yes", STR), ("on", STR),
        ("12", INT), ("-1", INT), ("+1", INT), ("010", INT), ("0o17", INT), ("0x1F", INT), ("1_000", STR),
        ("1.", FLOAT), (".5", FLOAT), ("1e-6", FLOAT), ("-.inf", FLOAT), (".NaN", FLOAT), ("1e", STR), (".", STR),
        ("2018-05-09", STR), ("1:30", STR), ("-", STR),
    ],
)  # fmt: skip
def test_kinds(text: str, kind: str) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", "12"), ("-1", "-1"), ("010", "10"), ("0x1F", "31"), ("0o17", "15"), ("1e-6", "0.000001"), (".5", "0.5"),
    ],
)  # fmt: skip
def test_values_of_numbers(text: str, number: str) -> None:
    assert decimal_of(text) == Decimal(number)


@pytest.mark.parametrize(
    "text", ["", "x", ".inf", ".nan", "1e999", "1" * 41, "\u0661", "yes"]
)
def test_other_texts_have_no_value(text: str) -> None:
    assert decimal_of(text) is None
