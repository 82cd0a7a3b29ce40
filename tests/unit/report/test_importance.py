"""Which parameters matter, by Optuna's evaluator."""

import pytest

from riseml.report.axes import axis
from riseml.report.importance import importances


def test_the_parameter_that_decides_has_nearly_all_of_the_importance() -> None:
    lrs = [10.0**-power for power in range(6)] * 4
    opts = ["adam", "sgd"] * 12
    metric = axis("acc", [0.1 * power for power in range(6)] * 4)
    shares = importances(
        [axis("opt", opts), axis("lr", lrs), axis("same", ["1"] * 24)],
        metric,
        largest=True,
    )
    assert list(shares) == ["lr", "opt"]
    assert shares["lr"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize("largest", [True, False])
def test_experiments_without_a_value_do_not_count(*, largest: bool) -> None:
    values = [None, *[float(number) for number in range(9)]]
    assert (
        importances([axis("a", list(range(10)))], axis("m", values), largest=largest)
        == {}
    )
    values.append(9.0)
    assert importances(
        [axis("a", list(range(11)))], axis("m", values), largest=largest
    ) == {"a": 1.0}


def test_missing_parameters_are_a_category() -> None:
    parameter = axis("a", [None, 1, 2] * 4)
    metric = axis("m", [0.0, 1.0, 2.0] * 4)
    assert importances([parameter], metric, largest=True) == {"a": 1.0}
