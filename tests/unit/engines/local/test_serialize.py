"""A plan travels to the controller as JSON and arrives unchanged."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riseml import config, planner
from riseml.plan import ExperimentSet, Resources
from riseml.plan_data import plan_from_data, plan_to_data

EXAMPLES = sorted(Path("examples").glob("*/riseml.yml"))

resources = st.builds(
    Resources,
    cpus=st.decimals(min_value=0, max_value=10**6, allow_nan=False),
    mem=st.integers(min_value=0),
    gpus=st.one_of(
        st.integers(0, 8), st.sampled_from([Decimal("0.25"), Decimal("0.250")])
    ),
    gpu_mem=st.integers(min_value=0),
    gpu_type=st.text(),
)
st.register_type_strategy(Resources, resources)
# A NaN differs from itself, so no plan with one arrives unchanged.
st.register_type_strategy(float, st.floats(allow_nan=False))


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


def test_a_share_of_a_gpu_keeps_its_text_and_old_plans_have_none() -> None:
    text = "project: lab\ntrain: {image: a, resources: {gpus: 0.250}, run: b}\n"
    plan = planner.plan(config.load_text(text))
    assert str(sent(plan).jobs[0].resources.gpus) == "0.250"
    data = plan_to_data(plan)
    data["jobs"][0]["resources"] = {"cpus": "1", "mem": 64, "gpus": 2}
    assert plan_from_data(data).jobs[0].resources == Resources(mem=64, gpus=2)
