"""Experiments of searches in rounds that run again: those without parameters are chosen by the search."""

from dataclasses import replace

import pytest

from riseml.client.continuations import _missing
from riseml.client.repeats import _without_search
from riseml.client.run_code import Code
from riseml.errors import InvalidInputError
from riseml.plan import Experiment
from riseml.status import ExperimentStatus, SetStatus
from tests.unit import plans

PLAN = plans.rounds(6, 2)
CODE = Code(PLAN, "r", {})
CHOSEN = Experiment(2, {"lr": "0.1", "opt": "adam"}, attempts=1)


def test_what_was_chosen_is_not_chosen_again() -> None:
    experiments = [CHOSEN, Experiment(5, {}, attempts=1), Experiment(6, {})]
    (first, repeated), (second, missing) = _without_search([(CODE, experiments)])
    assert first.plan == replace(PLAN, rounds=None)
    assert repeated == [CHOSEN]
    assert second.plan == PLAN
    assert missing == [Experiment(5, {}), Experiment(6, {})]


def test_missing_experiments_are_chosen_in_order() -> None:
    with pytest.raises(InvalidInputError, match="in order"):
        list(_without_search([(CODE, [Experiment(3, {}), Experiment(5, {})])]))


def test_a_plan_without_rounds_stays_as_it_is() -> None:
    code = Code(plans.grid({"a": "1"}), "r", {})
    groups = list(_without_search([(code, list(code.plan.experiments))]))
    assert groups == [(code, list(code.plan.experiments))]


def test_a_search_is_extended_by_the_trials_that_it_lacks() -> None:
    present = tuple(ExperimentStatus(f"14.{sub}", sub) for sub in range(1, 5))
    run = SetStatus("14", experiments=present)
    assert [experiment.sub for experiment in _missing(run, PLAN)] == [5, 6]
