"""Distributions and values as Optuna has them. Only functions that use Optuna may import this module."""

from collections.abc import Mapping

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from riseml.distributions import CHOICE, INT, Distribution
from riseml.rounds.trials import COMPLETE, Space, Trial


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution of each parameter, in the order of their names."""
    return {name: _distribution(source) for name, source in sorted(space.items())}


def texts(space: Space, values: Mapping[str, object]) -> dict[str, str]:
    """Return what Optuna suggests as the texts that jobs get."""
    suggested = {}
    for name, source in space.items():
        value = values[name]
        suggested[name] = (
            str(value) if source.kind == CHOICE else source.text(float(str(value)))
        )
    return suggested


def ended(trial: Trial) -> FrozenTrial:
    """Return a trial that has ended as one of Optuna's."""
    is_complete = trial.state == COMPLETE
    return create_trial(
        state=TrialState.COMPLETE if is_complete else TrialState.FAIL,
        value=trial.value,
        params={
            name: _value(trial.space[name], text)
            for name, text in sorted(trial.parameters.items())
        },
        distributions=distributions(trial.space),
    )


def _distribution(source: Distribution) -> BaseDistribution:
    if source.kind == CHOICE:
        return CategoricalDistribution(source.choices)
    if source.kind == INT:
        return IntDistribution(
            int(source.low),
            int(source.high),
            log=source.is_log,
            step=int(source.step),
        )
    return FloatDistribution(
        float(source.low),
        float(source.high),
        log=source.is_log,
        step=float(source.step) if source.step else None,
    )


def _value(source: Distribution, text: str) -> object:
    if source.kind == CHOICE:
        return text
    return int(text) if source.kind == INT else float(text)
