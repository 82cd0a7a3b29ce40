"""Runs of a WorkflowTemplate: Argo keeps its spec in their status, and computes the experiments from arguments."""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from riseml import labels
from riseml.status import document as doc
from riseml.status.document import Node
from riseml.status.positions import Positions

# The tag for a value of an item; a name with dots has several keys.
_ITEM = re.compile(r"item((?:\['[^']*'\])+)")


def spec_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec of a Workflow, completed by that of the template from which it was made."""
    spec = doc.mapping(document.get("spec"))
    if "templates" in spec:
        return spec
    stored = doc.inner(document, "status", "storedWorkflowTemplateSpec")
    return {**stored, **spec}


def items_of(
    document: Mapping[str, Any], experiment: Node, positions: Positions
) -> list[dict[str, str]]:
    """Return the parameters of each experiment.

    Their nodes have them exactly, but there is one only for an experiment that has had its
    turn. A document that RiseML did not compile may have no items: it is one experiment.
    """
    if not experiment.get("withParam"):
        return [{}]
    names = _names(experiment)
    items = _planned(_arguments(document), names)
    for position, values in _started(document, names, positions):
        items.setdefault(position, {}).update(values)
    count = max(items, default=0) + 1
    complete = []
    for position in range(count):
        sub = {labels.SUB_PARAMETER: str(position + 1)}
        complete.append({**sub, **items.get(position, {})})
    return complete


def _started(
    document: Mapping[str, Any], names: Mapping[str, str], positions: Positions
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield position and parameters of each experiment that has had its turn."""
    for node in doc.nodes(document):
        position = positions.of(doc.text(node.get("name")))
        if position is None or node.get("type") != "DAG":
            continue
        values = doc.parameters(node.get("inputs"))
        yield position, {names.get(name, name): values[name] for name in values}


def _arguments(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the arguments of the template, as the run changes them."""
    stored = doc.inner(document, "status", "storedWorkflowTemplateSpec", "arguments")
    own = doc.inner(document, "spec", "arguments")
    return {**doc.parameters(stored), **doc.parameters(own)}


def _planned(
    arguments: Mapping[str, str], names: Mapping[str, str]
) -> dict[int, dict[str, str]]:
    """Return the experiments by position, as Argo computes them from the arguments."""
    columns = [name for name in arguments if name in names]
    if not columns:
        return _listed(arguments)
    users_names = [names[name] for name in columns]
    lists = [_values(arguments[name]) for name in columns]
    items = {}
    for position, row in enumerate(product(*lists)):
        items[position] = dict(zip(users_names, map(_word, row), strict=True))
    return items


def _listed(arguments: Mapping[str, str]) -> dict[int, dict[str, str]]:
    experiments = doc.mappings(
        doc.json_value(arguments.get(labels.EXPERIMENTS_PARAMETER))
    )
    items = {}
    for position, values in enumerate(experiments):
        items[position] = {name: _word(values[name]) for name in values}
    return items


def _values(argument: str) -> list[Any]:
    """Return the values of an argument, which is one of them or a JSON list."""
    if not argument.startswith("["):
        return [argument]
    return doc.items(doc.json_value(argument))


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    # Few runs have arguments that are no text.
    import json  # noqa: PLC0415

    return json.dumps(value)


def _names(experiment: Node) -> dict[str, str]:
    """Return the user's names of parameters by those of Argo, which have no dots."""
    names = {}
    for name, tag in doc.parameters(experiment.get("arguments")).items():
        match = _ITEM.search(tag)
        if match:
            names[name] = match[1][2:-2].replace("']['", ".")
    return names
