"""Fields of a Workflow that the local engine supports: an allow-list, level by level, so that nothing is ignored.

A rule checks a value and yields its faults, each with the path of the value. Some fields
only decide where, or how long, something may exist on a cluster (affinity, TTL, service
accounts). They mean nothing on one machine, so they are accepted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from riseml.engines.local.interpreter.rules import POLICIES
from riseml.engines.local.interpreter.templates import seconds

Rule = Callable[[str, Any], Iterator[str]]
"""Yields the faults of a value, given its path."""

# Completes the sentence "the local engine …".
_REASONS: Final = {
    "livenessProbe": "does not run liveness probes",
    "readinessProbe": "does not run readiness probes",
    "startupProbe": "does not run start-up probes",
    "lifecycle": "does not run lifecycle hooks of containers",
    "securityContext": "runs everything as the current user",
    "hostPath": "mounts only claims, secrets and empty folders",
    "configMap": "does not support ConfigMaps",
    "git": "takes the code from its own store",
    "steps": "runs dag templates only, not steps",
    "script": "runs container templates only, not scripts",
    "suspend": "does not suspend runs",
    "http": "does not make HTTP requests",
    "data": "runs container templates only",
    "containerSet": "runs container templates only",
    "plugin": "does not run plugins",
    "memoize": "does not memoize",
    "metrics": "does not emit metrics",
    "onExit": "does not run exit handlers",
    "withParam": "expands withItems only",
    "withSequence": "expands withItems only",
    "continueOn": "supports `depends` only",
    "semaphores": "supports mutexes only",
    "templateRef": "runs only templates of the Workflow itself",
    "inline": "runs named templates only",
    "volumeClaimTemplates": "does not create claims",
    "workflowTemplateRef": "runs only complete Workflows",
}
_UNKNOWN_FIELD: Final = "does not support this field"

# An API server adds empty fields to what was submitted.
_EMPTY_VALUES: Final[tuple[object, ...]] = (None, {}, [], "")


def faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield every field or value that the local engine cannot run, with its path."""
    return _DOCUMENT("", document)


# Rules for single values


def _accept(path: str, value: Any) -> Iterator[str]:  # noqa: ARG001
    yield from ()


def _is(types: tuple[type, ...], description: str) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        is_accepted = isinstance(value, types)
        # In Python a truth value is a number, in JSON it is not.
        if isinstance(value, bool) and bool not in types:
            is_accepted = False
        if not is_accepted:
            yield f"{path}: {value!r} is not {description}"

    return check


_TEXT: Final = _is((str,), "text")
_VALUE: Final = _is((str, int, float, bool), "a value")
_FLAG: Final = _is((bool,), "true or false")
_INTEGER: Final = _is((int,), "a whole number")
_ITEM: Final = _is((str, int), "text or a map")
_ITEM_VALUE: Final = _is((str, int), "text")


def _duration(path: str, value: Any) -> Iterator[str]:
    try:
        seconds(value)
    except ValueError as error:
        yield f"{path}: {error}"


def _integer_or_digits(path: str, value: Any) -> Iterator[str]:
    if not str(value).isdecimal():
        yield f"{path}: {value!r} is not a whole number"


def _one_of(*values: object) -> Rule:
    supported = " and ".join(repr(value) for value in values)

    def check(path: str, value: Any) -> Iterator[str]:
        if value not in values:
            yield f"{path}: the local engine supports {supported}, not {value!r}"

    return check


# Rules for lists and maps


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _texts(path: str, value: Any) -> Iterator[str]:
    if not _is_list(value) or not all(isinstance(item, str) for item in value):
        yield f"{path}: {value!r} is not a list of texts"


def _map_of(rule: Rule) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: {value!r} is not a map"
            return
        for key, item in value.items():
            yield from rule(f"{path}[{key}]", item)

    return check


def _fields(rules: Mapping[str, Rule], *, required: Sequence[str] = ()) -> Rule:
    """Allow these keys; any other key is allowed only if its value is empty."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path or 'document'}: {value!r} is not a map"
            return
        for key, item in value.items():
            field_path = f"{path}.{key}" if path else key
            if key in rules and item is not None:
                yield from rules[key](field_path, item)
            elif item not in _EMPTY_VALUES:
                reason = _REASONS.get(key, _UNKNOWN_FIELD)
                yield f"{field_path}: the local engine {reason}"
        for key in required:
            if value.get(key) in (None, ""):
                yield f"{path or 'document'}: {key} is missing"

    return check


def _list_of(rule: Rule) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if not _is_list(value):
            yield f"{path}: {value!r} is not a list"
            return
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, Mapping) else None
            yield from rule(f"{path}[{name or index}]", item)

    return check


def _items(path: str, value: Any) -> Iterator[str]:
    if not _is_list(value) or not value:
        yield f"{path}: {value!r} is not a list of items"
        return
    for index, item in enumerate(value):
        rule = _map_of(_ITEM_VALUE) if isinstance(item, Mapping) else _ITEM
        yield from rule(f"{path}[{index}]", item)


# The fields, innermost first

_ARGUMENTS: Final = _fields(
    {
        "parameters": _list_of(
            _fields(
                {"name": _TEXT, "value": _VALUE, "description": _TEXT},
                required=("name",),
            )
        )
    }
)
_SECRET: Final = _fields(
    {"name": _TEXT, "key": _TEXT, "optional": _FLAG}, required=("name", "key")
)
_ENV: Final = _fields(
    {"name": _TEXT, "value": _TEXT, "valueFrom": _fields({"secretKeyRef": _SECRET})},
    required=("name",),
)
_MOUNT: Final = _fields(
    {"name": _TEXT, "mountPath": _TEXT, "subPath": _TEXT, "readOnly": _FLAG},
    required=("name", "mountPath"),
)
_VOLUME: Final = _fields(
    {
        "name": _TEXT,
        "persistentVolumeClaim": _fields(
            {"claimName": _TEXT, "readOnly": _FLAG}, required=("claimName",)
        ),
        "emptyDir": _fields({"medium": _one_of("", "Memory"), "sizeLimit": _VALUE}),
        "secret": _fields(
            {
                "secretName": _TEXT,
                "optional": _FLAG,
                "items": _accept,
                "defaultMode": _INTEGER,
            }
        ),
    },
    required=("name",),
)
_CONTAINER_RULES: Final[Mapping[str, Rule]] = {
    "name": _TEXT,
    "image": _TEXT,
    "imagePullPolicy": _TEXT,
    "command": _texts,
    "args": _texts,
    "workingDir": _TEXT,
    "env": _list_of(_ENV),
    # A local process opens its ports itself.
    "ports": _accept,
    "resources": _fields({"requests": _map_of(_VALUE), "limits": _map_of(_VALUE)}),
    "volumeMounts": _list_of(_MOUNT),
    "mirrorVolumeMounts": _one_of(False),
}
_CONTAINER: Final = _fields(_CONTAINER_RULES, required=("image", "command"))
_OTHER_CONTAINER: Final = _fields(
    _CONTAINER_RULES, required=("name", "image", "command")
)
_METADATA: Final = _fields({"labels": _map_of(_TEXT), "annotations": _map_of(_TEXT)})
_INPUT: Final = _fields(
    {"name": _TEXT, "value": _VALUE, "default": _VALUE, "description": _TEXT},
    required=("name",),
)
_ARTIFACT: Final = _fields(
    {
        "name": _TEXT,
        "path": _TEXT,
        "mode": _INTEGER,
        "raw": _fields({"data": _TEXT}, required=("data",)),
    },
    required=("name", "path", "raw"),
)
_OUTPUT: Final = _fields(
    {
        "name": _TEXT,
        "description": _TEXT,
        "valueFrom": _fields({"path": _TEXT, "default": _VALUE}, required=("path",)),
    },
    required=("name", "valueFrom"),
)
_RETRY: Final = _fields(
    {
        "limit": _integer_or_digits,
        "retryPolicy": _one_of(*sorted(POLICIES)),
        "expression": _TEXT,
        "backoff": _fields(
            {
                "duration": _duration,
                "factor": _integer_or_digits,
                "maxDuration": _duration,
                "cap": _duration,
            },
            required=("duration",),
        ),
    }
)
_HOOK: Final = _fields(
    {"template": _TEXT, "expression": _TEXT, "arguments": _ARGUMENTS},
    required=("template", "expression"),
)
_TASK: Final = _fields(
    {
        "name": _TEXT,
        "template": _TEXT,
        "arguments": _ARGUMENTS,
        "depends": _TEXT,
        "dependencies": _texts,
        "when": _TEXT,
        "withItems": _items,
        "hooks": _map_of(_HOOK),
    },
    required=("name", "template"),
)
# These concern the machines of a cluster only.
_CLUSTER_FIELDS: Final = (
    "affinity",
    "nodeSelector",
    "tolerations",
    "serviceAccountName",
    "executor",
)
_CLUSTER_FIELDS_OF_TEMPLATE: Final = (*_CLUSTER_FIELDS, "priorityClassName")
_CLUSTER_FIELDS_OF_WORKFLOW: Final = (
    *_CLUSTER_FIELDS,
    "priority",
    "podPriorityClassName",
    "imagePullSecrets",
    "podGC",
    "ttlStrategy",
)
_TEMPLATE: Final = _fields(
    {
        "name": _TEXT,
        "inputs": _fields(
            {"parameters": _list_of(_INPUT), "artifacts": _list_of(_ARTIFACT)}
        ),
        "outputs": _fields({"parameters": _list_of(_OUTPUT)}),
        "metadata": _METADATA,
        "dag": _fields(
            {"tasks": _list_of(_TASK), "failFast": _FLAG}, required=("tasks",)
        ),
        "container": _CONTAINER,
        "resource": _fields(
            {"action": _one_of("delete"), "flags": _texts}, required=("action", "flags")
        ),
        "initContainers": _list_of(_OTHER_CONTAINER),
        "sidecars": _list_of(_OTHER_CONTAINER),
        "volumes": _list_of(_VOLUME),
        "daemon": _FLAG,
        "parallelism": _INTEGER,
        "failFast": _FLAG,
        "retryStrategy": _RETRY,
        "activeDeadlineSeconds": _integer_or_digits,
        "timeout": _duration,
        "pendingTimeout": _duration,
        "synchronization": _fields(
            {
                "mutexes": _list_of(
                    _fields({"name": _TEXT, "namespace": _TEXT}, required=("name",))
                )
            },
            required=("mutexes",),
        ),
        # It names the pod's host; all jobs share the name of this machine.
        "podSpecPatch": _TEXT,
        **dict.fromkeys(_CLUSTER_FIELDS_OF_TEMPLATE, _accept),
        "automountServiceAccountToken": _FLAG,
    },
    required=("name",),
)
_SPEC: Final = _fields(
    {
        "entrypoint": _TEXT,
        "arguments": _ARGUMENTS,
        "templates": _list_of(_TEMPLATE),
        "volumes": _list_of(_VOLUME),
        "podMetadata": _METADATA,
        "shutdown": _one_of("Terminate", "Stop", ""),
        **dict.fromkeys(_CLUSTER_FIELDS_OF_WORKFLOW, _accept),
        "automountServiceAccountToken": _FLAG,
    },
    required=("entrypoint", "templates"),
)
_DOCUMENT: Final = _fields(
    {
        "apiVersion": _one_of("argoproj.io/v1alpha1"),
        "kind": _one_of("Workflow"),
        "metadata": _accept,
        "spec": _SPEC,
        "status": _accept,
    },
    required=("metadata", "spec"),
)
