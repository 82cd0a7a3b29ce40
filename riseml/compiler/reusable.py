"""Documents from which Argo makes Workflows: a WorkflowTemplate, or a CronWorkflow.

    WorkflowTemplate    arguments ──▶ main ──▶ set: one experiment for each combination of them
    CronWorkflow        the compiled Workflow with a schedule

A WorkflowTemplate is used in two ways: a Workflow is made from it as a whole, or the Workflow of somebody
else calls its templates. That Workflow's own spec counts then, so each template brings its volumes and account.
"""

import copy
import json
from itertools import product
from math import prod
from typing import Any

from riseml import labels
from riseml.compiler import pod, quotes
from riseml.compiler.names import Names
from riseml.compiler.text import KILLED, item, parameter
from riseml.plan import Experiment, ExperimentSet

Object = dict[str, Any]

_OF_TEMPLATES = (*pod.ACCOUNT_FIELDS, "volumes")
# Argo refuses a tag that nothing stands for, but it evaluates expressions. Dots separate their names.
_KILLED_IF_ANY = "{{=workflow.annotations?.riseml?.['io/killed'] ?? ''}}"
# Labels of the document itself.
_NAMING = (labels.USER, labels.PROJECT)
_API = "argoproj.io/v1alpha1"


def workflow_template(workflow: Object, names: Names) -> Object:
    """Return the WorkflowTemplate of a compiled Workflow, with the hyperparameters as arguments."""
    metadata, spec = _parts(workflow)
    # Argo would read a kill here, and never see one. The Workflow of somebody else has none either.
    del metadata["annotations"][labels.KILLED]
    spec = json.loads(json.dumps(spec).replace(KILLED, _KILLED_IF_ANY))
    fields = {name: spec.pop(name) for name in _OF_TEMPLATES if name in spec}
    for template in spec["templates"]:
        if "dag" not in template:
            template.update(copy.deepcopy(fields))
    # A search in rounds chooses the values itself.
    if names.parameters and not names.plan.rounds:
        _take_arguments(spec, names)
    return {
        "apiVersion": _API,
        "kind": "WorkflowTemplate",
        "metadata": {"name": names.stem, **_labels(metadata)},
        "spec": {**spec, "workflowMetadata": metadata},
    }


def cron_workflow(workflow: Object, names: Names, schedule: str) -> Object:
    """Return the CronWorkflow that makes a compiled Workflow at the times of a schedule."""
    metadata, spec = _parts(workflow)
    return {
        "apiVersion": _API,
        "kind": "CronWorkflow",
        "metadata": {"name": names.stem, **_labels(metadata)},
        "spec": {
            "schedules": [schedule],
            "workflowMetadata": metadata,
            "workflowSpec": spec,
        },
    }


def _parts(workflow: Object) -> tuple[Object, Object]:
    """Return the labels and annotations of a Workflow, and its spec."""
    workflow = copy.deepcopy(workflow)
    metadata = {
        "labels": workflow["metadata"]["labels"],
        "annotations": workflow["metadata"]["annotations"],
    }
    return metadata, workflow["spec"]


def _labels(metadata: Object) -> Object:
    return {"labels": {name: metadata["labels"][name] for name in _NAMING}}


def _take_arguments(spec: Object, names: Names) -> None:
    arguments = _arguments(names)
    spec["arguments"] = {"parameters": arguments}
    by_name = {template["name"]: template for template in spec["templates"]}
    main, experiment_set = by_name["main"], by_name["set"]
    # A caller may leave out any of them.
    _parameters(main, "inputs").extend(copy.deepcopy(arguments))
    for task in main["dag"]["tasks"]:
        if task["template"] == "set":
            _parameters(task, "arguments").extend(map(_passed, arguments))
    _parameters(experiment_set, "inputs").extend(
        {"name": argument["name"]} for argument in arguments
    )
    (task,) = experiment_set["dag"]["tasks"]
    del task["withItems"]
    task["withParam"] = f"{{{{={_items(names)}}}}}"
    for argument in _parameters(task, "arguments"):
        argument["value"] = _any_item(argument["value"])


def _any_item(tag: str) -> str:
    """Return the tag for a value of an item in the form that is right for any text."""
    if not tag.startswith("{{item.") or tag == f"{{{{item.{labels.SUB_PARAMETER}}}}}":
        return tag
    name = tag.removeprefix("{{item.").removesuffix("}}")
    return item(name, ('"',))


def _parameters(owner: Object, kind: str) -> list[Object]:
    parameters: list[Object] = owner.setdefault(kind, {}).setdefault("parameters", [])
    return parameters


def _passed(argument: Object) -> Object:
    name = argument["name"]
    return {"name": name, "value": f"{{{{inputs.parameters.{name}}}}}"}


def _arguments(names: Names) -> list[Object]:
    """Return the arguments with their defaults, the values of riseml.yml."""
    plan = names.plan
    if not _is_grid(names):
        experiments = [_values_of(experiment, names) for experiment in plan.experiments]
        return [
            {"name": labels.EXPERIMENTS_PARAMETER, "value": json.dumps(experiments)}
        ]
    arguments = []
    for name in plan.parameters:
        values = distinct(plan, name)
        text = values[0]
        if len(values) > 1 or text.startswith("["):
            text = json.dumps(values, ensure_ascii=False)
        arguments.append({"name": parameter(name), "value": text})
    return arguments


def _values_of(experiment: Experiment, names: Names) -> Object:
    values: Object = dict(experiment.parameters)
    if names.has_brackets:
        values[labels.BRACKET_PARAMETER] = experiment.bracket
    return values


def distinct(plan: ExperimentSet, name: str) -> list[str]:
    """Return the values of a parameter, in their order."""
    values = [experiment.parameters[name] for experiment in plan.experiments]
    return list(dict.fromkeys(values))


def _is_grid(names: Names) -> bool:
    """Return whether the experiments are all combinations of the values of their parameters."""
    plan = names.plan
    columns = [distinct(plan, name) for name in plan.parameters]
    # Values that a search has drawn have too many combinations to list.
    if prod(map(len, columns)) != len(plan.experiments):
        return False
    rows = [tuple(experiment.parameters.values()) for experiment in plan.experiments]
    return rows == list(product(*columns)) and not names.has_brackets


def _items(names: Names) -> str:
    """Return the expression for the items of the set: JSON, as a search strategy would make them."""
    if not _is_grid(names):
        return _items_of_list(names)
    lets, values = "", {}
    body, index = "{body}", "0"
    for number, name in enumerate(names.parameters):
        lets += f"let v{number} = {_values(name)}; "
        values[name] = f"string(v{number}[i{number}])"
        index = f"({index}) * len(v{number}) + i{number}"
        loop = f"map(0..len(v{number}) - 1, let i{number} = #; {{body}})"
        body = body.replace("{body}", loop)
    body = body.replace("{body}", _object(values, f"{index} + 1", names))
    return f"{lets}toJSON(flatten([{body}]))"


def _items_of_list(names: Names) -> str:
    values = {name: f"string(all[i]['{name}'])" for name in names.parameters}
    if names.has_brackets:
        bracket = labels.BRACKET_PARAMETER
        values[bracket] = f"string(all[i]['{bracket}'])"
    body = _object(values, "i + 1", names)
    return (
        f"let all = fromJSON(inputs.parameters['{labels.EXPERIMENTS_PARAMETER}']); "
        f"toJSON(map(0..len(all) - 1, let i = #; {body}))"
    )


def _values(name: str) -> str:
    """Return the expression for the list of values of a parameter: an argument is one, or JSON."""
    text = f"inputs.parameters['{parameter(name)}']"
    return f"{text} startsWith '[' ? fromJSON({text}) : [{text}]"


def _object(values: dict[str, str], index: str, names: Names) -> str:
    """Return the expression for an item whose values are expressions."""
    entries = [f"'{labels.SUB_PARAMETER}': string({index})"]
    for name, value in values.items():
        entries.append(f"'{name}': {value}")
    for name in names.individually_quoted:
        entries.append(f"'{quotes.companion(name)}': toJSON({values[name]})")
    return f"{{{', '.join(entries)}}}"
