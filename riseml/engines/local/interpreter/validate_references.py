"""References within a Workflow: every name exists, every tag has a value.

    document ─▶ its templates ─▶ the tasks of a DAG (validate_tasks)

`validate_fields` has accepted every field by itself.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from riseml.engines.local.interpreter import label_selectors
from riseml.engines.local.interpreter.tags import replace, tags
from riseml.engines.local.interpreter.validate_containers import container_faults
from riseml.engines.local.interpreter.validate_names import (
    Data,
    argument_faults,
    duplicate_faults,
    find_cycle,
    names_of,
    parameters_of,
    prefixed,
)
from riseml.engines.local.interpreter.validate_tags import (
    expression_faults,
    tag_faults,
)
from riseml.engines.local.interpreter.validate_tasks import dag_faults
from riseml.engines.local.interpreter.variables import LAST_RETRY

_RETRY_NAMES: Final = frozenset({*LAST_RETRY, "retries"})
_KINDS: Final = ("dag", "container", "resource")
_WORKFLOW_TAGS: Final = (
    "name",
    "namespace",
    "uid",
    "mainEntrypoint",
    "serviceAccountName",
)


def faults(document: Data) -> Iterator[str]:
    """Yield the references that lead nowhere, each with its path."""
    metadata = document["metadata"]
    spec = document["spec"]
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        yield "metadata.name: the local engine runs named Workflows only"
        return
    templates = {template["name"]: template for template in spec["templates"]}
    entrypoint = spec["entrypoint"]
    if entrypoint not in templates:
        yield f"spec.entrypoint: there is no template {entrypoint!r}"
        return
    workflow_tags = _workflow_tags(document)
    for volume in spec.get("volumes", ()):
        yield from tag_faults(f"spec.volumes[{volume['name']}]", volume, workflow_tags)
    for name, template in templates.items():
        path = f"spec.templates[{name}]"
        yield from _pod_name_faults(path, template)
        yield from _template_faults(path, template, templates, workflow_tags)
        if "container" in template:
            yield from container_faults(path, template, spec)
    yield from argument_faults("spec", spec, templates[entrypoint])
    yield from _recursion_faults(templates, entrypoint)


def _workflow_tags(document: Data) -> frozenset[str]:
    """Return the tags that have a value everywhere in the Workflow."""
    metadata = document["metadata"]
    parameters = parameters_of(document["spec"], "arguments")
    tags = prefixed("workflow.", _WORKFLOW_TAGS)
    tags |= prefixed("workflow.labels.", metadata.get("labels") or ())
    tags |= prefixed("workflow.annotations.", metadata.get("annotations") or ())
    tags |= prefixed("workflow.parameters.", names_of(parameters))
    return frozenset(tags)


def _pod_name_faults(path: str, template: Data) -> Iterator[str]:
    """Yield a fault if Kubernetes would refuse the names of a template's pods."""
    has_capitals = template["name"] != template["name"].lower()
    if has_capitals and "dag" not in template:
        yield f"{path}.name: Kubernetes has no capital letters in the names of pods"


def _recursion_faults(templates: Mapping[str, Data], entrypoint: str) -> Iterator[str]:
    # Argo would create nodes until it is out of memory.
    calls: dict[str, list[str]] = {}
    for name, template in templates.items():
        tasks = template.get("dag", {}).get("tasks", ())
        called = map(itemgetter("template"), tasks)
        calls[name] = list(filter(templates.__contains__, called))
    cycle = find_cycle(calls, [entrypoint, *templates])
    if cycle:
        yield f"spec.templates: {' calls '.join(cycle)}"


# One template


def _template_faults(
    path: str,
    template: Data,
    templates: Mapping[str, Data],
    workflow_tags: frozenset[str],
) -> Iterator[str]:
    kinds = [kind for kind in _KINDS if template.get(kind)]
    if len(kinds) != 1:
        yield (
            f"{path}: a template has exactly one of {', '.join(_KINDS)}, "
            f"not {' and '.join(kinds) or 'none'}"
        )
        return
    kind = kinds[0]
    yield from _combination_faults(path, template, kind)
    retry_expression = _value_at(template, "retryStrategy.expression") or ""
    yield from expression_faults(
        f"{path}.retryStrategy.expression", retry_expression, _RETRY_NAMES
    )
    # Argo inserts the values before the first attempt, when they say nothing.
    for tag in _RETRY_NAMES.intersection(tags(retry_expression)):
        yield f"{path}.retryStrategy.expression: {tag} has no braces here"
    known_tags = workflow_tags | _template_tags(template)
    if kind == "dag":
        # The tasks have tags of their own.
        fields = {key: value for key, value in template.items() if key != "dag"}
        yield from tag_faults(path, fields, known_tags)
        yield from dag_faults(f"{path}.dag", template, templates, known_tags)
        return
    yield from tag_faults(path, template, known_tags)
    yield from _container_name_faults(path, template)
    if kind == "resource":
        flags = template["resource"]["flags"]
        yield from _flag_faults(f"{path}.resource.flags", flags)


def _template_tags(template: Data) -> set[str]:
    """Return the tags that have a value in this template only."""
    inputs = names_of(parameters_of(template, "inputs"))
    artifacts = names_of(template.get("inputs", {}).get("artifacts", ()))
    outputs = names_of(parameters_of(template, "outputs"))
    return {
        "node.name",
        "pod.name",
        *prefixed("inputs.parameters.", inputs),
        *prefixed("inputs.artifacts.", artifacts, ".path"),
        *prefixed("outputs.parameters.", outputs, ".path"),
    }


class _Restriction(NamedTuple):
    """A field that only templates of some kinds may have, and the reason."""

    kinds: Collection[str]
    reason: str


_CONTAINERS_ONLY: Final = _Restriction(
    ("container",), "the local engine supports it in container templates only"
)
_DAGS_ONLY: Final = _Restriction(
    ("dag",), "the local engine supports it in dag templates only"
)

# Argo ignores most of these in templates of another kind.
_RESTRICTIONS: Final = {
    "initContainers": _CONTAINERS_ONLY,
    "sidecars": _CONTAINERS_ONLY,
    "volumes": _CONTAINERS_ONLY,
    "daemon": _CONTAINERS_ONLY,
    "activeDeadlineSeconds": _CONTAINERS_ONLY,
    "timeout": _CONTAINERS_ONLY,
    "pendingTimeout": _CONTAINERS_ONLY,
    "synchronization": _CONTAINERS_ONLY,
    "outputs": _CONTAINERS_ONLY,
    "podSpecPatch": _CONTAINERS_ONLY,
    "parallelism": _DAGS_ONLY,
    "failFast": _DAGS_ONLY,
    "inputs.artifacts": _Restriction(
        ("container",), "the local engine supports them in container templates only"
    ),
    # A deletion cannot fail.
    "retryStrategy": _Restriction(("container", "dag"), "a deletion is not retried"),
    "retryStrategy.backoff.maxDuration": _Restriction(
        ("container", "resource"), "the local engine supports it for containers only"
    ),
}
_IGNORED_WITH_RETRIES: Final = ("daemon", "pendingTimeout")


def _combination_faults(path: str, template: Data, kind: str) -> Iterator[str]:
    """Yield fields that are valid alone, but not together."""
    for field, restriction in _RESTRICTIONS.items():
        if kind not in restriction.kinds and _value_at(template, field):
            yield f"{path}.{field}: {restriction.reason}"
    if template.get("retryStrategy"):
        for field in filter(template.get, _IGNORED_WITH_RETRIES):
            yield f"{path}.{field}: Argo ignores it together with a retryStrategy"
    if not _names_host_only(template.get("podSpecPatch") or "{}"):
        yield (
            f"{path}.podSpecPatch: the local engine supports "
            "a JSON map of hostname and subdomain only"
        )


def _value_at(template: Data, field: str) -> Any:
    """Return the value of a field in the form `inputs.artifacts`, None without one."""
    *parents, name = field.split(".")
    body = template
    for parent in parents:
        body = body.get(parent) or {}
    return body.get(name)


def _names_host_only(patch: str) -> bool:
    try:
        data = json.loads(_fill_tags(patch))
    except ValueError:
        return False
    return isinstance(data, Mapping) and not data.keys() - {"hostname", "subdomain"}


def _container_name_faults(path: str, template: Data) -> Iterator[str]:
    # Argo names the container of a template `main`.
    containers = [*template.get("initContainers", ()), *template.get("sidecars", ())]
    yield from duplicate_faults(path, ["main", *names_of(containers)])


def _flag_faults(path: str, flags: list[str]) -> Iterator[str]:
    try:
        label_selectors.deletion_of_flags([_fill_tags(flag) for flag in flags])
    except ValueError as error:
        yield f"{path}: {error}"


def _fill_tags(text: str) -> str:
    """Replace every tag by a letter, which is valid in host names and in labels."""
    return replace(text, lambda _: "x")
