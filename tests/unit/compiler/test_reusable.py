"""WorkflowTemplates and CronWorkflows of a riseml.yml."""

import json
from typing import Any

import pytest

from riseml import config, labels, planner
from riseml.compiler import compile_workflow, reusable
from riseml.compiler.names import Names
from riseml.plan import ExperimentSet, Origin, Target

TOY = """\
project: Toy_Net
train:
  image: python:3.12-slim
  retries: 1
  {more}
  run: python train.py {{{{lr}}}}
"""
GRID = "parameters: {lr: [0.1, 1e-3], opt.kind: [adam]}"


def _plan(more: str) -> ExperimentSet:
    return planner.plan(config.load_text(TOY.format(more=more)))


def _template(more: str = GRID) -> dict[str, Any]:
    plan, origin = _plan(more), Origin("me", takes_arguments=True)
    workflow = compile_workflow(plan, origin, Target())
    return reusable.workflow_template(workflow, Names(plan, origin, Target()))


def _named(document: dict[str, Any], name: str) -> dict[str, Any]:
    for template in document["spec"]["templates"]:
        if template["name"] == name:
            return dict(template)
    raise AssertionError(name)


def test_hyperparameters_are_arguments_whose_defaults_are_in_the_file() -> None:
    document = _template()
    arguments = [
        {"name": "lr", "value": '["0.1", "1e-3"]'},
        {"name": "opt_kind", "value": "adam"},
    ]
    assert document["kind"] == "WorkflowTemplate"
    assert document["metadata"]["name"] == "toy-net"
    assert document["spec"]["arguments"] == {"parameters": arguments}
    # A caller of the entry point may leave out any of them.
    assert _named(document, "main")["inputs"] == {"parameters": arguments}


def test_each_combination_of_the_arguments_is_an_experiment() -> None:
    (task,) = _named(_template(), "set")["dag"]["tasks"]
    assert "withItems" not in task
    assert task["withParam"] == (
        "{{=let v0 = inputs.parameters['lr'] startsWith '[' ? "
        "fromJSON(inputs.parameters['lr']) : [inputs.parameters['lr']]; "
        "let v1 = inputs.parameters['opt_kind'] startsWith '[' ? "
        "fromJSON(inputs.parameters['opt_kind']) : [inputs.parameters['opt_kind']]; "
        "toJSON(flatten([map(0..len(v0) - 1, let i0 = #; "
        "map(0..len(v1) - 1, let i1 = #; "
        "{'riseml-sub': string(((0) * len(v0) + i0) * len(v1) + i1 + 1), "
        "'lr': string(v0[i0]), 'opt.kind': string(v1[i1]), "
        "'riseml-quoted-lr': toJSON(string(v0[i0])), "
        "'riseml-quoted-opt_kind': toJSON(string(v1[i1]))}))]))}}"
    )
    values = {
        entry["name"]: entry["value"] for entry in task["arguments"]["parameters"]
    }
    assert values == {
        "riseml-sub": "{{item.riseml-sub}}",
        "lr": "{{=fromJSON('\"' + item['lr'] + '\"')}}",
        "opt_kind": "{{=fromJSON('\"' + item['opt']['kind'] + '\"')}}",
        "riseml-quoted-lr": "{{=fromJSON('\"' + item['riseml-quoted-lr'] + '\"')}}",
        "riseml-quoted-opt_kind": (
            "{{=fromJSON('\"' + item['riseml-quoted-opt_kind'] + '\"')}}"
        ),
    }


def test_a_value_reaches_the_job_whatever_it_contains() -> None:
    container = _named(_template(), "train")["container"]
    line = container["args"][3]
    # The kubelet would expand `$(HOME)` of an argument.
    assert line == "python train.py {{=replace(inputs.parameters['lr'], '$', '$$')}}"


def test_experiments_that_are_no_grid_are_one_argument() -> None:
    search = (
        "parameters: {lr: {uniform: [0, 1]}, n: {loguniform: [1, 9]}}\n"
        "  search: {method: random, trials: 3, seed: 1}"
    )
    (argument,) = _template(search)["spec"]["arguments"]["parameters"]
    assert argument["name"] == "experiments"
    experiments = json.loads(argument["value"])
    assert [sorted(experiment) for experiment in experiments] == [["lr", "n"]] * 3
    (task,) = _named(_template(search), "set")["dag"]["tasks"]
    assert task["withParam"].startswith(
        "{{=let all = fromJSON(inputs.parameters['experiments']); "
    )


def test_a_search_for_many_hyperparameters_is_one_argument_at_once() -> None:
    # All combinations of these values would not fit into any memory.
    space = ", ".join(f"p{number}: {{uniform: [0, 1]}}" for number in range(12))
    search = f"parameters: {{lr: [0.1], {space}}}\n  search: {{method: random, trials: 30, seed: 1}}"
    (argument,) = _template(search)["spec"]["arguments"]["parameters"]
    assert argument["name"] == "experiments"
    assert len(json.loads(argument["value"])) == 30


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        ("[0.1]", "0.1"),
        ("[[16, 64]]", '["[16,64]"]'),
        ("[a, b]", '["a", "b"]'),
        ("['ä']", "ä"),
    ],
)
def test_an_argument_is_a_value_or_a_json_list(values: str, argument: str) -> None:
    document = _template(f"parameters: {{lr: {values}}}")
    assert document["spec"]["arguments"]["parameters"] == [
        {"name": "lr", "value": argument}
    ]


def test_templates_work_in_the_workflow_of_somebody_else() -> None:
    document = _template()
    job = _named(document, "train")
    assert job["serviceAccountName"] == "riseml-job"
    assert {"name": "riseml", "emptyDir": {}} in job["volumes"]
    assert "volumes" not in document["spec"]
    # Such a Workflow has no annotation of kills.
    assert "{{workflow.annotations" not in json.dumps(document["spec"]["templates"])
    (task,) = _named(document, "set")["dag"]["tasks"]
    assert task["when"].startswith(
        "'{{=workflow.annotations?.riseml?.['io/killed'] ?? ''}}' !~ "
    )


def test_workflows_of_a_template_have_the_labels_of_runs() -> None:
    metadata = _template()["spec"]["workflowMetadata"]
    assert metadata["labels"] == {
        "riseml.io/user": "me",
        "riseml.io/project": "Toy_Net",
        "riseml.io/kind": "set",
    }
    # Argo reads annotations of this field before those of the Workflow, which kills are written to.
    assert labels.KILLED not in metadata["annotations"]
    assert metadata["annotations"][labels.CONFIG].startswith("project: Toy_Net\n")


def test_a_cron_workflow_has_the_schedule_and_the_whole_workflow() -> None:
    plan = _plan(GRID)
    workflow = compile_workflow(plan, Origin("me"), Target())
    names = Names(plan, Origin("me", 9_999_999_999), Target())
    document = reusable.cron_workflow(workflow, names, "0 3 * * *")
    assert document["kind"] == "CronWorkflow"
    assert document["spec"] == {
        "schedules": ["0 3 * * *"],
        "workflowSpec": workflow["spec"],
        "workflowMetadata": {
            "labels": workflow["metadata"]["labels"],
            "annotations": workflow["metadata"]["annotations"],
        },
    }


def test_the_name_of_a_cron_workflow_leaves_room_for_the_time() -> None:
    text = TOY.replace("Toy_Net", "n" * 63).format(
        more="framework: pytorch\n  pytorch: {workers: 2}"
    )
    plan = planner.plan(config.load_text(text.replace(" {{lr}}", "")))
    names = Names(plan, Origin("me", 9_999_999_999), Target())
    workflow = compile_workflow(plan, Origin("me"), Target())
    name = reusable.cron_workflow(workflow, names, "@daily")["metadata"]["name"]
    assert len(f"{name}-9999999999-1-1-worker") <= 63


def test_experiments_of_several_brackets_name_theirs() -> None:
    search = (
        "parameters: {lr: {uniform: [0, 1]}}\n"
        "  search: {method: hyperband, metric: loss, mode: min, max_resource: 9, trials: 9}"
    )
    document = _template(search)
    (argument,) = document["spec"]["arguments"]["parameters"]
    brackets = [entry["riseml-bracket"] for entry in json.loads(argument["value"])]
    assert len(set(brackets)) > 1
    (task,) = _named(document, "set")["dag"]["tasks"]
    assert "'riseml-bracket': string(all[i]['riseml-bracket'])" in task["withParam"]
