"""A plan travels to the controller as JSON and arrives unchanged."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml import config, planner
from riseml.engines.local.serialize import plan_from_data, plan_to_data
from riseml.plan import ExperimentSet, Resources

EXAMPLES = sorted(Path("examples").glob("*/riseml.yml"))

resources = st.builds(
    Resources,
    cpus=st.decimals(min_value=0, max_value=10**6, allow_nan=False),
    mem=st.integers(min_value=0),
)
st.register_type_strategy(Resources, resources)


def sent(plan: ExperimentSet) -> ExperimentSet:
    return plan_from_data(json.loads(json.dumps(plan_to_data(plan))))


def orders(plan: ExperimentSet) -> list[list[str]]:
    """Return the order of parameters and variables, which compiled documents keep."""
    mappings = [experiment.parameters for experiment in plan.experiments]
    for job in plan.jobs:
        mappings += [job.env, job.framework_env]
    return [list(mapping) for mapping in mappings]


@given(plan=st.from_type(ExperimentSet))
def test_every_plan_arrives_unchanged(plan: ExperimentSet) -> None:
    arrived = sent(plan)
    assert arrived == plan
    assert orders(arrived) == orders(plan)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_plan_of_every_example_arrives_unchanged(path: Path) -> None:
    plan = planner.plan(config.load(path))
    assert sent(plan) == plan
    assert orders(sent(plan)) == orders(plan)


def test_cores_keep_their_digits() -> None:
    text = "project: lab\ntrain: {image: a, resources: {cpus: 100m, mem: 64}, run: b}\n"
    plan = sent(planner.plan(config.load_text(text)))
    assert plan.jobs[0].resources.cpus == Decimal("0.1")
