"""Which parameters matter for a metric, by the evaluator of Optuna (PED-ANOVA)."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from riseml.report.axes import Axis

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST_EXPERIMENTS = 10
"""Experiments with a value of the metric without which nothing can be said."""


def importances(
    parameters: Sequence[Axis], metric: Axis, *, largest: bool
) -> dict[str, float]:
    """Return the share of each parameter in the differences of a metric, the largest first.

    `largest` says whether the largest value is the best. The result is empty if there
    are too few experiments.

    Raises:
        ImportError: Optuna is not installed.
    """
    rows = [row for row, value in enumerate(metric.numbers) if value is not None]
    varying = [axis for axis in parameters if _varies(axis, rows)]
    if len(rows) < LEAST_EXPERIMENTS or not varying:
        return {}
    # It takes long to load, and may not be there.
    import optuna  # noqa: PLC0415

    directions = optuna.study.StudyDirection
    direction = directions.MAXIMIZE if largest else directions.MINIMIZE
    distributions = {axis.name: _distribution(axis) for axis in varying}
    with warnings.catch_warnings():
        # Its evaluator is experimental, which no reader of a report can change.
        warnings.simplefilter("ignore")
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(direction=direction)
        for row in rows:
            values = {axis.name: _value(axis, row) for axis in varying}
            trial = optuna.trial.create_trial(
                params=values, distributions=distributions, value=metric.numbers[row]
            )
            study.add_trial(trial)
        shares = optuna.importance.get_param_importances(study)
        optuna.logging.set_verbosity(verbosity)
    return _sorted(shares)


def _sorted(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=_share, reverse=True))


def _share(item: tuple[str, float]) -> float:
    return item[1]


def _varies(axis: Axis, rows: Sequence[int]) -> bool:
    return len({axis.positions[row] for row in rows}) > 1


def _distribution(axis: Axis) -> "BaseDistribution":
    from optuna.distributions import (  # noqa: PLC0415
        CategoricalDistribution,
        FloatDistribution,
    )

    if axis.is_numeric and axis.missing is None:
        # Positions of a logarithmic axis are logarithms already.
        return FloatDistribution(min(axis.positions), max(axis.positions))
    return CategoricalDistribution(sorted(set(axis.positions)))


def _value(axis: Axis, row: int) -> Any:
    return axis.positions[row]
