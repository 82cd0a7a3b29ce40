"""Runs of a WorkflowTemplate and of a CronWorkflow, as a real Argo recorded them."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from riseml import status, templating
from riseml.status import State

FOLDER = Path(__file__).parents[2] / "fixtures" / "templates"


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return document


def test_the_document_of_a_template_run_has_no_templates_of_its_own() -> None:
    document = _document("from-template")
    assert sorted(document["spec"]) == ["arguments", "workflowTemplateRef"]
    assert "storedWorkflowTemplateSpec" in document["status"]


@pytest.mark.parametrize(("name", "number"), [("from-template", 2), ("from-cron", 3)])
def test_its_experiments_have_their_parameters_and_results(
    name: str, number: int
) -> None:
    run = status.read(_document(name))
    assert (run.number, run.project, run.state) == (number, "grid", State.FINISHED)
    assert run.run == ("python3 train.py {{lr}}",)
    assert run.concurrency == 2
    assert [
        (experiment.id, experiment.state, experiment.parameters, experiment.result)
        for experiment in run.experiments
    ] == [
        (f"{number}.1", State.FINISHED, {"lr": "0.1"}, {"loss": 0.9}),
        (f"{number}.2", State.FINISHED, {"lr": "0.2"}, {"loss": 0.8}),
        (f"{number}.3", State.FINISHED, {"lr": "1e-3"}, {"loss": 0.999}),
    ]


def _without_nodes(document: dict[str, Any], *positions: int) -> None:
    """Remove the nodes of experiments that have not had their turn."""
    nodes = document["status"]["nodes"]
    for key, node in list(nodes.items()):
        if any(f"experiment({position}:" in node["name"] for position in positions):
            del nodes[key]


def test_experiments_that_have_not_had_their_turn_are_known_from_the_arguments() -> (
    None
):
    document = _document("from-template")
    _without_nodes(document, 1, 2)
    run = status.read(document)
    assert [(e.id, dict(e.parameters)) for e in run.experiments] == [
        ("2.1", {"lr": "0.1"}),
        ("2.2", {"lr": "0.2"}),
        ("2.3", {"lr": "1e-3"}),
    ]


def test_a_run_may_have_other_arguments_than_its_template() -> None:
    document = _document("from-template")
    _without_nodes(document, 0, 1, 2)
    parameters = document["spec"]["arguments"]["parameters"] = [
        {"name": "lr", "value": '[0.5, "1e-2"]'}
    ]
    run = status.read(document)
    assert [dict(e.parameters) for e in run.experiments] == [
        {"lr": "0.5"},
        {"lr": "1e-2"},
    ]
    parameters[0]["value"] = "adam"
    assert dict(status.read(document).experiments[0].parameters) == {"lr": "adam"}
    # Argo refuses it, but RiseML has to show the run.
    parameters[0]["value"] = "[0.5,"
    assert len(status.read(document).experiments) == 1


def test_a_list_of_experiments_is_one_argument() -> None:
    document = _document("from-template")
    _without_nodes(document, 0, 1, 2)
    values = '[{"lr": "0.1"}, {"lr": 0.7}]'
    arguments = {"parameters": [{"name": "experiments", "value": values}]}
    document["status"]["storedWorkflowTemplateSpec"]["arguments"] = arguments
    document["spec"]["arguments"] = {}
    run = status.read(document)
    assert [dict(e.parameters) for e in run.experiments] == [
        {"lr": "0.1"},
        {"lr": "0.7"},
    ]


def test_names_with_dots_come_back_from_the_arguments() -> None:
    document = _document("from-template")
    text = json.dumps(document["status"]["storedWorkflowTemplateSpec"])
    text = text.replace("item['lr']", "item['opt']['lr']")
    document["status"]["storedWorkflowTemplateSpec"] = json.loads(text)
    run = status.read(document)
    assert dict(run.experiments[0].parameters) == {"opt.lr": "0.1"}


def test_a_run_that_argo_has_not_seen_yet_is_one_experiment() -> None:
    document = _document("from-template")
    del document["status"]
    run = status.read(document)
    assert (run.state, len(run.experiments)) == (State.CREATED, 1)


def test_killed_experiments_of_a_template_stay_killed() -> None:
    run = status.read(_document("killed"))
    # The first was running and is not retried; the second never had its turn.
    assert [(e.id, e.state, dict(e.parameters)) for e in run.experiments] == [
        ("5.1", State.KILLED, {"lr": "0.1"}),
        ("5.2", State.KILLED, {"lr": "0.2"}),
        ("5.3", State.FINISHED, {"lr": "0.3"}),
    ]


@pytest.mark.parametrize("is_recent", [False, True])
def test_commands_follow_the_run_script_and_its_functions(*, is_recent: bool) -> None:
    """Documents of earlier versions have no functions between script and commands."""
    document = copy.deepcopy(_document("from-template"))
    for template in document["status"]["storedWorkflowTemplateSpec"]["templates"]:
        arguments = template.get("container", {}).get("args", [])
        if "python3 train.py {{inputs.parameters.lr}}" in arguments and is_recent:
            arguments.insert(2, f"{templating.FUNCTIONS}riseml_more=")
    assert status.read(document).run == ("python3 train.py {{lr}}",)
