"""Positions and ticks of the values of a parameter or metric, also of odd ones."""

import math
from typing import Any

import pytest

from riseml.report.axes import MISSING, axis


def test_numbers_keep_their_positions() -> None:
    line = axis("epochs", ["10", "20", "15"])
    assert line.is_numeric
    assert not line.is_logarithmic
    assert line.positions == (10, 20, 15)
    assert line.ticks == ((10, "10"), (15, "15"), (20, "20"))
    assert line.missing is None


def test_numbers_over_decades_are_logarithms_with_their_own_texts() -> None:
    line = axis("lr", ["1e-4", "0.01", "1"])
    assert line.is_logarithmic
    assert line.positions == pytest.approx((-4, -2, 0))
    assert [text for _, text in line.ticks] == ["0.0001", "0.01", "1"]
    # Negative numbers have no logarithm.
    assert not axis("x", [-1, 1000]).is_logarithmic


def test_many_numbers_have_few_ticks() -> None:
    line = axis("x", list(range(100)))
    assert [text for _, text in line.ticks] == ["0", "24.75", "49.5", "74.25", "99"]


@pytest.mark.parametrize(
    "odd", [None, math.nan, math.inf, -math.inf, "NaN", "Infinity", "-Infinity"]
)
def test_a_value_that_is_no_finite_number_has_its_own_position(odd: Any) -> None:
    line = axis("loss", [0.0, odd, 1.0])
    assert line.is_numeric
    assert line.numbers == (0.0, None, 1.0)
    assert line.positions == pytest.approx((0, -0.12, 1))
    assert line.missing == pytest.approx(-0.12)
    assert line.ticks[0][0] == line.missing
    assert line.ticks[0][1] == MISSING


def test_texts_and_booleans_are_categories_in_order() -> None:
    assert axis("opt", ["sgd", "adam", "sgd"]).ticks == ((0, "adam"), (1, "sgd"))
    flags = axis("flag", [True, False])
    assert not flags.is_numeric
    assert (flags.positions, flags.ticks) == ((1, 0), ((0, "false"), (1, "true")))


def test_mixed_values_are_categories_and_none_is_missing() -> None:
    line = axis("x", [None, 10, "b", 2.5, [1, 2]])
    assert [text for _, text in line.ticks] == [MISSING, "2.5", "10", "[1, 2]", "b"]
    assert line.positions == (0, 2, 4, 1, 3)
    assert line.missing == 0


def test_without_any_value_all_are_missing() -> None:
    line = axis("x", [None, "NaN"])
    assert (line.is_numeric, line.positions, line.missing) == (False, (0, 0), 0)
    assert not line.varies


def test_large_whole_numbers_are_readable() -> None:
    line = axis("seed", ["100000000000000001", "3"])
    assert [text for _, text in line.ticks] == ["3", "1e+17"]
