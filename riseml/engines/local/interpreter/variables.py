"""What tags and names mean at each place of a running Workflow."""

from collections.abc import Iterable, Mapping
from typing import Any

from riseml.engines.local.interpreter.node import (
    OMITTED,
    SKIPPED,
    Node,
    Pairs,
    pod_name,
)
from riseml.engines.local.interpreter.progress import DagFrame
from riseml.engines.local.interpreter.tags import Lookup, replace
from riseml.engines.local.interpreter.templates import Template, text

LAST_RETRY = (
    "lastRetry.exitCode",
    "lastRetry.status",
    "lastRetry.duration",
    "lastRetry.message",
)


class UnresolvedError(Exception):
    """A tag has no value yet and never will, or a template lacks an argument; says which."""


def lookup(*maps: Mapping[str, str]) -> Lookup:
    """Return the function that finds a tag in the first map that knows it."""

    def find(tag: str) -> str | None:
        for each in maps:
            if tag in each:
                return each[tag]
        return None

    return find


def resolve(said: str, look: Lookup) -> str:
    """Replace tags, and once more those that a value brought along."""
    return replace(replace(said, look), look) if "{{" in said else said


def workflow_values(document: Mapping[str, Any], uid: str) -> dict[str, str]:
    """Return the meaning of all `workflow.` tags."""
    metadata, spec = document["metadata"], document["spec"]
    named = {
        "parameters": {
            each["name"]: text(each["value"])
            for each in spec.get("arguments", {}).get("parameters", ())
        },
        "labels": metadata.get("labels") or {},
        "annotations": metadata.get("annotations") or {},
    }
    return {
        "workflow.name": metadata["name"],
        "workflow.namespace": metadata.get("namespace") or "default",
        "workflow.uid": uid,
        "workflow.mainEntrypoint": spec["entrypoint"],
        "workflow.serviceAccountName": spec.get("serviceAccountName", ""),
        **{
            f"workflow.{kind}.{name}": value
            for kind, values in named.items()
            for name, value in values.items()
        },
    }


def node_values(workflow: str, node: Node, last: Node | None) -> dict[str, str]:
    """Return what a node's own tags mean; `last` is the attempt before it."""
    values = {
        "node.name": node.name,
        "pod.name": pod_name(workflow, node.name, node.template),
    }
    if node.retried:
        values["retries"] = str(attempt_of(node))
        values.update(
            retry_values(last)
            if last
            else dict(zip(LAST_RETRY, ("0", "", "0", ""), strict=True))
        )
    return {
        **values,
        **{f"inputs.parameters.{name}": value for name, value in node.inputs},
    }


def attempt_of(node: Node) -> int:
    """Return which attempt a node is, from 0."""
    return int(node.name[node.name.rindex("(") + 1 : -1]) if node.retried else 0


def retry_values(last: Node) -> dict[str, str]:
    """Return what is known of the last attempt."""
    duration = 0.0 if last.finished_at is None else last.finished_at - last.started_at
    said = (
        "-1" if last.exit_code is None else str(last.exit_code),
        last.phase,
        f"{duration:g}",
        last.message,
    )
    return dict(zip(LAST_RETRY, said, strict=True))


def task_value(
    tag: str, frame: DagFrame, templates: Mapping[str, Template]
) -> str | None:
    """Return what a `tasks.` tag means in a DAG; any other tag is nobody's.

    Raises:
        UnresolvedError: the task has no such value.
    """
    if not tag.startswith("tasks."):
        return None
    name, _, what = tag.removeprefix("tasks.").partition(".")
    node = frame.tasks.get(name)
    if node is not None and what == "status":
        return node.phase
    if node is not None and what == "id":
        return node.id
    if node is not None and what == "exitCode" and node.exit_code is not None:
        return str(node.exit_code)
    if node is not None and what.startswith("outputs.parameters."):
        wanted = what.removeprefix("outputs.parameters.")
        for output, value in node.outputs:
            if output == wanted:
                return value
        for declared in templates[node.template].outputs:
            if (
                declared.name == wanted
                and declared.default is not None
                and is_absent(node)
            ):
                return declared.default
    raise UnresolvedError(f"failed to resolve {{{{{tag}}}}}")


def is_absent(node: Node) -> bool:
    """Tell whether a node has no outputs because it did not run."""
    return node.phase in (SKIPPED, OMITTED)


def task_arguments(
    arguments: Iterable[tuple[str, str]], look: Lookup, frame: DagFrame
) -> tuple[tuple[str, str | None], ...]:
    """Fill a task's arguments; None where one is nothing but the output of a task that did not run."""

    def value(said: str) -> str | None:
        try:
            return resolve(said, look)
        except UnresolvedError:
            node = frame.tasks.get(
                said.strip("{} ").removeprefix("tasks.").partition(".")[0]
            )
            if (
                said.startswith("{{tasks.")
                and said.find("}}") == len(said) - 2
                and node is not None
                and is_absent(node)
            ):
                return None
            raise

    return tuple((name, value(said)) for name, said in arguments)


def inputs(
    template: Template, arguments: Mapping[str, str | None], look: Lookup
) -> Pairs:
    """Return the inputs of a template that is called with these arguments.

    Raises:
        UnresolvedError: one without a default is not among them.
    """

    def value(name: str, default: str | None) -> str:
        said = arguments.get(name)
        said = default if said is None else said
        if said is None:
            raise UnresolvedError(f"inputs.parameters.{name} was not supplied")
        return replace(said, look)

    return tuple(
        (name, value(name, default)) for name, default in template.inputs.items()
    )
