"""Hyperband: the brackets of its experiments."""

from collections import Counter

from riseml.search import asha, hyperband
from tests.unit.search.test_asha import ASHA, container, plan_of

HYPERBAND = ASHA.replace("asha", "hyperband").replace("trials: 8", "trials: 49")


def test_the_brackets_have_hyperbands_shares() -> None:
    # One round of Hyperband with a maximum of 81 and a first rung at 3.
    chosen = hyperband.brackets(49, asha.Options(81))
    assert Counter(chosen) == {0: 27, 1: 12, 2: 6, 3: 4}


def test_the_brackets_of_more_trials_begin_with_those_of_fewer() -> None:
    options = asha.Options(81)
    assert hyperband.brackets(49, options)[:10] == hyperband.brackets(10, options)
    assert Counter(hyperband.brackets(98, options)) == {0: 54, 1: 24, 2: 12, 3: 8}


def test_a_job_knows_its_bracket() -> None:
    plan = plan_of(HYPERBAND)
    assert plan.early_stop
    assert plan.early_stop.brackets == 4
    brackets = Counter(experiment.bracket for experiment in plan.experiments)
    assert brackets == {0: 27, 1: 12, 2: 6, 3: 4}
    template = container(plan)
    env = {e["name"]: e.get("value") for e in template["container"]["env"]}
    assert env["RISEML_BRACKET"] == "{{inputs.parameters.riseml-bracket}}"
