"""Number and texts of the values of a range."""

from decimal import Decimal

import pytest

from riseml.config.ranges import spread, steps


@pytest.mark.parametrize(
    ("bounds", "form", "texts"),
    [
        ("3 5 1", "", "3 4 5"),
        ("3 5.9 1", "", "3 4 5"),
        ("5 5 1", "", "5"),
        ("-2 2 2", "", "-2 0 2"),
        ("0.1 0.3 0.1", "f", "0.1 0.2 0.3"),
        ("0.1 1 0.3", "f", "0.1 0.4 0.7 1.0"),
        ("0 1 0.25", "f", "0.0 0.25 0.5 0.75 1.0"),
        ("-0.5 0.5 0.5", "f", "-0.5 0.0 0.5"),
        ("1e-5 3e-5 1e-5", "e", "1e-05 2e-05 3e-05"),
        ("1e-1 3e-1 1e-1", "e", "0.1 0.2 0.3"),
        ("1e20 2e20 1e20", "e", "1e+20 2e+20"),
        ("100000000000000000001 100000000000000000003 1", "",
         "100000000000000000001 100000000000000000002 100000000000000000003"),
        ("0.1000000000000000000001 0.2 0.1", "e", "0.1000000000000000000001"),
    ],
)  # fmt: skip
def test_range(bounds: str, form: str, texts: str) -> None:
    first, last, step = map(Decimal, bounds.split())
    assert spread(first, last, step, form) == texts.split()
    assert steps(first, last, step) == len(texts.split())


def test_counting_needs_no_values() -> None:
    assert steps(Decimal(0), Decimal("1e300"), Decimal("1e-300")) == 10**600 + 1
    assert steps(Decimal(0), Decimal(1), Decimal("0.1")) == 11
