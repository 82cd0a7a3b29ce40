"""ASHA: its rungs, its trials, and what is wrong with a file that asks for it."""

import json
from typing import Any

import pytest

from riseml import config, planner
from riseml.compiler import compile_workflow
from riseml.errors import ConfigError
from riseml.plan import EarlyStop, ExperimentSet, Metric, Origin, Target
from riseml.plan_data import plan_from_data, plan_to_data
from riseml.search import asha

TEXT = """\
project: lab
train:
  image: busybox
  resources: {{cpus: 0.1, mem: 1}}
  parameters: {parameters}
  search: {search}
  run: echo {{{{lr}}}}
"""
UNIFORM = "{lr: {uniform: [0, 1]}}"


def plan_of(search: str, parameters: str = UNIFORM) -> ExperimentSet:
    text = TEXT.format(search=search, parameters=parameters)
    return planner.plan(config.load_text(text))


def container(plan: ExperimentSet) -> dict[str, Any]:
    document = compile_workflow(plan, Origin("me", 14, "abc"), Target())
    templates = {t["name"]: t for t in document["spec"]["templates"]}
    found: dict[str, Any] = templates["train"]
    return found


ASHA = "{method: asha, metric: loss, mode: min, max_resource: 81, trials: 8, seed: 1}"


@pytest.mark.parametrize(
    ("options", "rungs"),
    [
        (asha.Options(81), (3, 9, 27)),
        (asha.Options(10), (1, 3, 9)),
        (asha.Options(100), (3, 9, 27, 81)),
        (asha.Options(81, min_resource=1), (1, 3, 9, 27)),
        (asha.Options(81, min_resource=9), (9, 27)),
        (asha.Options(100, reduction=4), (3, 12, 48)),
        (asha.Options(9, min_resource=9), ()),
    ],
)
def test_rungs_begin_at_a_27th_and_grow_by_the_reduction(
    options: asha.Options, rungs: tuple[int, ...]
) -> None:
    assert options.rungs == rungs


def test_the_plan_has_the_rule_and_the_metric() -> None:
    plan = plan_of(ASHA)
    rule = EarlyStop((3, 9, 27), 81, 3, 1, Metric("loss", "min"))
    assert plan.early_stop == rule
    assert len(plan.experiments) == 8
    assert {experiment.bracket for experiment in plan.experiments} == {0}


def test_the_metric_has_the_pattern_of_the_results() -> None:
    text = TEXT.format(search=ASHA, parameters=UNIFORM) + (
        "  results: {acc: max, loss: {mode: min, pattern: 'cost (.*)'}}\n"
    )
    plan = planner.plan(config.load_text(text))
    assert plan.early_stop
    assert plan.early_stop.metric == Metric("loss", "min", "cost (.*)")


def test_equal_seeds_give_equal_trials() -> None:
    assert plan_of(ASHA).experiments == plan_of(ASHA).experiments


def test_without_trials_all_combinations_run() -> None:
    plan = plan_of(
        "{method: asha, metric: loss, mode: min, max_resource: 9}",
        "{lr: [1, 2, 3], opt: [a, b]}",
    )
    assert len(plan.experiments) == 6


def test_a_plan_survives_json() -> None:
    plan = plan_of(ASHA)
    assert plan_from_data(json.loads(json.dumps(plan_to_data(plan)))) == plan


def test_jobs_share_the_folder_of_the_rungs_and_nothing_else_of_the_set() -> None:
    template = container(plan_of(ASHA))
    mounts = {m["mountPath"]: m for m in template["container"]["volumeMounts"]}
    assert mounts["/rungs"] == {
        "name": "output",
        "mountPath": "/rungs",
        "subPath": "me/lab/14/rungs",
    }
    assert mounts["/output"]["subPath"] == "me/lab/14/{{inputs.parameters.riseml-sub}}"
    env = {e["name"]: e.get("value") for e in template["container"]["env"]}
    assert env["RISEML_RUNGS"] == "/rungs"
    assert json.loads(env["RISEML_EARLY_STOP"]) == {
        "metric": "loss",
        "mode": "min",
        "pattern": "",
        "rungs": [3, 9, 27],
        "reduction": 3,
        "max_resource": 81,
    }
    outputs = {p["name"]: p for p in template["outputs"]["parameters"]}
    assert outputs["early"]["valueFrom"] == {"path": "/riseml/early", "default": ""}


def test_a_pattern_with_braces_is_no_tag_of_argo() -> None:
    text = TEXT.format(search=ASHA, parameters=UNIFORM) + (
        "  results: {loss: {mode: min, pattern: '{{loss (.*)'}}\n"
    )
    template = container(planner.plan(config.load_text(text)))
    env = {e["name"]: e.get("value") for e in template["container"]["env"]}
    assert "{{" not in env["RISEML_EARLY_STOP"]
    assert json.loads(env["RISEML_EARLY_STOP"])["pattern"] == "{{loss (.*)"


def test_other_searches_have_neither_the_folder_nor_the_scripts() -> None:
    template = container(plan_of("{method: random, trials: 4}"))
    assert "/rungs" not in json.dumps(template["container"]["volumeMounts"])
    assert "riseml_early_stop" not in template["container"]["args"][1]
    outputs = [parameter["name"] for parameter in template["outputs"]["parameters"]]
    assert outputs == ["result", "workdir", "usage"]


@pytest.mark.parametrize(
    ("search", "parameters", "message"),
    [
        (
            "{method: asha, max_resource: 81, trials: 8}",
            UNIFORM,
            "'metric' is missing in train.search",
        ),
        (
            "{method: asha, metric: loss, mode: min, trials: 8}",
            UNIFORM,
            "'max_resource' is missing in train.search",
        ),
        (
            "{method: asha, metric: loss, mode: min, max_resource: 81}",
            UNIFORM,
            "'trials' is missing, and 'lr' has a distribution",
        ),
        (
            "{method: asha, metric: loss, mode: min, max_resource: 9, min_resource: 9, trials: 4}",
            UNIFORM,
            "min_resource is not less than max_resource, 9",
        ),
        (
            "{method: asha, metric: loss, mode: min, max_resource: 9, trials: 4}",
            "{lr: [1, 2]}",
            "4 trials are more than the parameters' 2 combinations",
        ),
    ],
)
def test_faults_are_reported(search: str, parameters: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_of(search, parameters)
    assert message in str(caught.value)
