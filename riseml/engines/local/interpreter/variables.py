"""Values of the tags and names that a running Workflow uses, in each of its parts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from riseml.engines.local.interpreter.node import (
    OMITTED,
    SKIPPED,
    Node,
    Pairs,
    pod_name,
)
from riseml.engines.local.interpreter.progress import DagFrame
from riseml.engines.local.interpreter.tags import Lookup, replace
from riseml.engines.local.interpreter.templates import (
    Output,
    Task,
    Template,
    optional_text,
    text,
)

LAST_RETRY: Final = (
    "lastRetry.exitCode",
    "lastRetry.status",
    "lastRetry.duration",
    "lastRetry.message",
)

# What Argo fills in for the first attempt.
_NO_LAST_RETRY: Final = ("0", "", "0", "")

_OUTPUT_PREFIX: Final = "outputs.parameters."


class UnresolvedError(Exception):
    """A tag has no value and never will, or a template lacks an argument."""


def lookup_in(*maps: Mapping[str, str]) -> Lookup:
    """Return a function that finds a tag in the first map that contains it."""

    def lookup(tag: str) -> str | None:
        for values in maps:
            if tag in values:
                return values[tag]
        return None

    return lookup


def resolve(template: str, lookup: Lookup) -> str:
    """Replace the tags in a text, then those in the inserted values."""
    # Most texts have no tags, and this is called for every item.
    if "{{" not in template:
        return template
    return replace(replace(template, lookup), lookup)


def workflow_variables(document: Mapping[str, Any], uid: str) -> dict[str, str]:
    """Return the values of all `workflow.` tags."""
    metadata = document["metadata"]
    spec = document["spec"]
    values = {
        "workflow.name": metadata["name"],
        "workflow.namespace": metadata.get("namespace") or "default",
        "workflow.uid": uid,
        "workflow.mainEntrypoint": spec["entrypoint"],
        "workflow.serviceAccountName": spec.get("serviceAccountName", ""),
    }
    for parameter in spec.get("arguments", {}).get("parameters", ()):
        values[f"workflow.parameters.{parameter['name']}"] = text(parameter["value"])
    for kind in ("labels", "annotations"):
        for name, value in (metadata.get(kind) or {}).items():
            values[f"workflow.{kind}.{name}"] = value
    return values


def node_variables(
    workflow: str, node: Node, previous_attempt: Node | None
) -> dict[str, str]:
    """Return the values of the tags that belong to a node."""
    values = {
        "node.name": node.name,
        "pod.name": pod_name(workflow, node.name, node.template),
    }
    if node.retried:
        values["retries"] = str(attempt_of(node))
        if previous_attempt is not None:
            values.update(retry_variables(previous_attempt))
            # As a tag, an exit code that is not known is 0, in expressions it is -1.
            exit_code = optional_text(previous_attempt.exit_code)
            values["lastRetry.exitCode"] = exit_code or "0"
        else:
            values.update(zip(LAST_RETRY, _NO_LAST_RETRY, strict=True))
    for name, value in node.inputs:
        values[f"inputs.parameters.{name}"] = value
    return values


def attempt_of(node: Node) -> int:
    """Return the number of an attempt, from 0; 0 for a node that is not retried."""
    if not node.retried:
        return 0
    return int(node.name[node.name.rindex("(") + 1 : -1])


def retry_variables(last: Node) -> dict[str, str]:
    """Return the values of the `lastRetry.` tags after the attempt `last`."""
    duration = 0.0
    if last.finished_at is not None:
        duration = last.finished_at - last.started_at
    exit_code = optional_text(last.exit_code) or "-1"
    values = (exit_code, last.phase, f"{duration:g}", last.message)
    return dict(zip(LAST_RETRY, values, strict=True))


def task_value(
    tag: str, frame: DagFrame, templates: Mapping[str, Template]
) -> str | None:
    """Return the value of a `tasks.` tag in a DAG, None for a tag of another kind.

    Raises:
        UnresolvedError: the task has no such value.
    """
    if not tag.startswith("tasks."):
        return None
    name, _, attribute = tag.removeprefix("tasks.").partition(".")
    node = frame.tasks.get(name)
    value = None
    if node is not None:
        if attribute.startswith(_OUTPUT_PREFIX):
            output = attribute.removeprefix(_OUTPUT_PREFIX)
            value = _output_value(node, output, templates[node.template].outputs)
        else:
            value = _node_attribute(node, attribute)
    if value is None:
        raise UnresolvedError(f"failed to resolve {{{{{tag}}}}}")
    return value


def _node_attribute(node: Node, attribute: str) -> str | None:
    values = {
        "status": node.phase,
        "id": node.id,
        # It is missing until the task has ended, and if its pod was deleted.
        "exitCode": optional_text(node.exit_code),
    }
    return values.get(attribute)


def _output_value(node: Node, name: str, outputs: Iterable[Output]) -> str | None:
    # Argo uses the defaults of the outputs for a task that did not run.
    if did_not_run(node):
        defaults = {output.name: output.default for output in outputs}
        return defaults.get(name)
    return dict(node.outputs).get(name)


def did_not_run(node: Node) -> bool:
    """Tell whether a node has no outputs because its task did not run."""
    return node.phase in (SKIPPED, OMITTED)


def items(task: Task, lookup: Lookup) -> Sequence[Any]:
    """Return the items of a task; those of a `param` are JSON text once its tags are replaced.

    Raises:
        UnresolvedError: a tag has no value, or the text is not a list.
    """
    if task.items is not None:
        return task.items
    param = resolve(task.param, lookup)
    try:
        values = json.loads(param)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise UnresolvedError(
            f"withParam value could not be parsed as a JSON list: {param}"
        )
    return values


def task_arguments(
    arguments: Iterable[tuple[str, str]], lookup: Lookup, frame: DagFrame
) -> tuple[tuple[str, str | None], ...]:
    """Replace the tags in a task's arguments.

    An argument is None if it is only the output of a task that did not run: the called
    template then uses its own default.

    Raises:
        UnresolvedError: a tag has no value.
    """
    filled: list[tuple[str, str | None]] = []
    for name, template in arguments:
        try:
            filled.append((name, resolve(template, lookup)))
        except UnresolvedError:
            if not _is_output_of_skipped_task(template, frame):
                raise
            filled.append((name, None))
    return tuple(filled)


def _is_output_of_skipped_task(template: str, frame: DagFrame) -> bool:
    is_single_tag = template.find("}}") == len(template) - 2
    if not template.startswith("{{tasks.") or not is_single_tag:
        return False
    tag = template.strip("{} ")
    task = tag.removeprefix("tasks.").partition(".")[0]
    node = frame.tasks.get(task)
    return node is not None and did_not_run(node)


def inputs(
    template: Template,
    arguments: Mapping[str, str | None],
    lookup: Lookup,
    node: str,
) -> Pairs:
    """Return the inputs of a template that is called with these arguments.

    `node` is the name of the node that calls it.

    Raises:
        UnresolvedError: an input without a default is not among the arguments.
    """
    pairs = []
    for name, default in template.inputs.items():
        value = arguments.get(name)
        if value is None:
            value = default
        if value is None:
            raise UnresolvedError(
                f"task '{node}' errored: inputs.parameters.{name}: argument references "
                "an absent optional (skipped/omitted node output with no default)"
            )
        pairs.append((name, replace(value, lookup)))
    return tuple(pairs)
