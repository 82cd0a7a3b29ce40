"""Values of distributions: short texts inside the bounds, the same number as the text."""

import pytest

from riseml.distributions import (
    CHOICE,
    FLOAT,
    INT,
    Distribution,
    combinations,
    distribution,
    samples,
)

UNIFORM = Distribution(FLOAT, "0", "1")
LOG = Distribution(FLOAT, "1e-5", "0.1", is_log=True)
STEPS = Distribution(FLOAT, "0", "0.5", step="0.05")
INTEGERS = Distribution(INT, "1", "4", step="1")
LOG_INTEGERS = Distribution(INT, "1", "1000", step="1", is_log=True)
CHOICES = Distribution(CHOICE, choices=("adam", "sgd"))


@pytest.mark.parametrize(
    ("source", "values"),
    [
        (UNIFORM, ["0.0", "0.25", "0.5", "1.0"]),
        (LOG, ["1e-05", "0.0001", "0.001", "0.0999991"]),
        (STEPS, ["0.0", "0.1", "0.25", "0.5"]),
        (INTEGERS, ["1", "2", "3", "4"]),
        (LOG_INTEGERS, ["1", "3", "22", "1000"]),
        (CHOICES, ["adam", "adam", "sgd", "sgd"]),
    ],
)
def test_values_by_share(source: Distribution, values: list[str]) -> None:
    assert [source.value(share) for share in (0, 0.25, 0.5, 0.999999)] == values


@pytest.mark.parametrize(
    ("source", "number", "text"),
    [
        (UNIFORM, 1 / 3, "0.33333"),
        (UNIFORM, 1e-9, "0.0"),
        (UNIFORM, 2.0, "1.0"),
        (LOG, 1.23456789e-5, "1.23457e-05"),
        (Distribution(FLOAT, "-1", "1000"), 123.456789, "123.46"),
        # The digits count from where the bounds differ.
        (Distribution(FLOAT, "1000000", "1000001"), 1000000.123456, "1000000.12346"),
        (Distribution(FLOAT, "1e16", "1e17"), 2.5e16, "2.5e+16"),
        (STEPS, 0.31, "0.3"),
        (Distribution(INT, "16", "512", step="16"), 47.0, "48"),
    ],
)
def test_texts_are_short_and_mean_the_same_number(
    source: Distribution, number: float, text: str
) -> None:
    assert source.text(number) == text
    assert source.text(float(text)) == text


def test_data_describes_a_distribution_completely() -> None:
    assert LOG.to_data() == {"kind": "float", "low": "1e-5", "high": "0.1", "is_log": True}  # fmt: skip
    for source in (UNIFORM, LOG, STEPS, INTEGERS, LOG_INTEGERS, CHOICES):
        assert Distribution.from_data(source.to_data()) == source


def test_what_is_not_a_number_is_no_value() -> None:
    with pytest.raises(ValueError, match="nan is not a value"):
        UNIFORM.text(float("nan"))


def test_combinations_are_counted_where_they_are_finite() -> None:
    assert combinations({"a": STEPS, "b": CHOICES, "c": ("x", "y", "y")}) == 11 * 2 * 2
    assert combinations({"a": STEPS, "b": UNIFORM}) is None
    assert distribution(("x", "y", "x")) == Distribution(CHOICE, choices=("x", "y"))


def test_samples_have_all_forms() -> None:
    assert samples(("1", "x")) == ("1", "x")
    assert samples(CHOICES) == ("adam", "sgd")
    assert samples(INTEGERS) == ("1",)
