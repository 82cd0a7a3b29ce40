"""Numbers in the typed arrays that Plotly's JavaScript reads."""

import base64
import math
import struct

import pytest

from riseml.report import arrays


def decoded(encoded: dict[str, str], code: str) -> list[float]:
    data = base64.b64decode(encoded["bdata"])
    return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))


def test_floats_have_32_bits_and_may_be_nan() -> None:
    encoded = arrays.floats([0.5, math.nan, 1e300])
    half, missing, large = decoded(encoded, "f")
    assert encoded["dtype"] == "f4"
    assert (half, large) == (0.5, math.inf)
    assert math.isnan(missing)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([1.0, 2.0, 3.0], {"x0": 1.0, "dx": 1.0}),
        ([0.0, 50.0, 100.0], {"x0": 0.0, "dx": 50.0}),
        ([7.0], {"x0": 7.0, "dx": 1.0}),
    ],
)
def test_regular_steps_need_no_array(
    steps: list[float], expected: dict[str, float]
) -> None:
    assert arrays.steps(steps) == expected


@pytest.mark.parametrize(
    ("steps", "dtype", "code"),
    [
        ([1.0, 2.0, 4.0], "i4", "i"),
        ([1.0, 2.5, 3.0], "f8", "d"),
        ([1.0, 2.0, 3e10], "f8", "d"),
    ],
)
def test_other_steps_are_exact(steps: list[float], dtype: str, code: str) -> None:
    encoded = arrays.steps(steps)["x"]
    assert encoded["dtype"] == dtype
    assert decoded(encoded, code) == steps
