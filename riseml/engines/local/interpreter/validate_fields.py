"""Fields of a Workflow that the local engine supports: an allow-list for every level.

Nothing is ignored: a rule checks a value and yields its faults, each with the path of
the value. Some fields only decide where, or how long, something may exist on a cluster
(affinity, TTL, service accounts). They mean nothing on one machine, so they are
accepted.
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


class _Is:
    """The value has one of the types; `description` completes "is not …"."""

    def __init__(self, types: tuple[type, ...], description: str) -> None:
        self.types = types
        self.description = description

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        is_accepted = isinstance(value, self.types)
        # In Python a truth value is a number, in JSON it is not.
        if isinstance(value, bool):
            is_accepted = bool in self.types
        if not is_accepted:
            yield f"{path}: {value!r} is not {self.description}"


class _OneOf:
    """The value is one of the values."""

    def __init__(self, *values: object) -> None:
        self.values = values

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        if value not in self.values:
            supported = " and ".join(map(repr, self.values))
            yield f"{path}: the local engine supports {supported}, not {value!r}"


def _duration(path: str, value: Any) -> Iterator[str]:
    try:
        seconds(value)
    except ValueError as error:
        yield f"{path}: {error}"


def _integer_or_digits(path: str, value: Any) -> Iterator[str]:
    if not str(value).isdecimal():
        yield f"{path}: {value!r} is not a whole number"


_TEXT: Final = _Is((str,), "text")
_VALUE: Final = _Is((str, int, float, bool), "a value")
_FLAG: Final = _Is((bool,), "true or false")
_INTEGER: Final = _Is((int,), "a whole number")
_ITEM: Final = _Is((str, int), "text or a map")


# Rules for lists and maps


class _Map:
    """The value is a map, and `rule` holds for each of its values."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: {value!r} is not a map"
            return
        for key, item in value.items():
            yield from self.rule(f"{path}[{key}]", item)


_ITEM_MAP: Final = _Map(_Is((str, int), "text"))


class _List:
    """The value is a list, and `rule` holds for each of its items."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        if not _is_list(value):
            yield f"{path}: {value!r} is not a list"
            return
        for index, item in enumerate(value):
            name = None
            if isinstance(item, Mapping):
                name = item.get("name")
            yield from self.rule(f"{path}[{name or index}]", item)


class _Fields:
    """The value is a map with these keys; any other key must have an empty value."""

    def __init__(self, rules: Mapping[str, Rule], required: Sequence[str] = ()) -> None:
        self.rules = rules
        self.required = required

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        path_or_document = path or "document"
        if not isinstance(value, Mapping):
            yield f"{path_or_document}: {value!r} is not a map"
            return
        for key, item in value.items():
            field_path = f"{path}.{key}" if path else key
            yield from self._field_faults(field_path, key, item)
        for key in self.required:
            if value.get(key) in (None, ""):
                yield f"{path_or_document}: {key} is missing"

    def _field_faults(self, path: str, key: str, value: Any) -> Iterator[str]:
        if key in self.rules and value is not None:
            yield from self.rules[key](path, value)
        elif value not in _EMPTY_VALUES:
            reason = _REASONS.get(key, _UNKNOWN_FIELD)
            yield f"{path}: the local engine {reason}"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _texts(path: str, value: Any) -> Iterator[str]:
    if not _is_list(value) or not all(isinstance(item, str) for item in value):
        yield f"{path}: {value!r} is not a list of texts"


def _items(path: str, value: Any) -> Iterator[str]:
    if not _is_list(value) or not value:
        yield f"{path}: {value!r} is not a list of items"
        return
    for index, item in enumerate(value):
        item_path = f"{path}[{index}]"
        if isinstance(item, Mapping):
            yield from _ITEM_MAP(item_path, item)
        else:
            yield from _ITEM(item_path, item)


# The fields, innermost first

_ARGUMENTS: Final = _Fields(
    {
        "parameters": _List(
            _Fields(
                {"name": _TEXT, "value": _VALUE, "description": _TEXT},
                required=("name",),
            )
        )
    }
)
_SECRET: Final = _Fields(
    {"name": _TEXT, "key": _TEXT, "optional": _FLAG}, required=("name", "key")
)
_ENV: Final = _Fields(
    {"name": _TEXT, "value": _TEXT, "valueFrom": _Fields({"secretKeyRef": _SECRET})},
    required=("name",),
)
_MOUNT: Final = _Fields(
    {"name": _TEXT, "mountPath": _TEXT, "subPath": _TEXT, "readOnly": _FLAG},
    required=("name", "mountPath"),
)
_VOLUME: Final = _Fields(
    {
        "name": _TEXT,
        "persistentVolumeClaim": _Fields(
            {"claimName": _TEXT, "readOnly": _FLAG}, required=("claimName",)
        ),
        "emptyDir": _Fields(
            {
                "medium": _OneOf("", "Memory"),
                "sizeLimit": _VALUE,
            }
        ),
        "secret": _Fields(
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
    "env": _List(_ENV),
    # A local process opens its ports itself.
    "ports": _accept,
    "resources": _Fields({"requests": _Map(_VALUE), "limits": _Map(_VALUE)}),
    "volumeMounts": _List(_MOUNT),
    "mirrorVolumeMounts": _OneOf(False),
}
_CONTAINER: Final = _Fields(_CONTAINER_RULES, required=("image", "command"))
_OTHER_CONTAINER: Final = _Fields(
    _CONTAINER_RULES, required=("name", "image", "command")
)
_METADATA: Final = _Fields({"labels": _Map(_TEXT), "annotations": _Map(_TEXT)})
_INPUT: Final = _Fields(
    {"name": _TEXT, "value": _VALUE, "default": _VALUE, "description": _TEXT},
    required=("name",),
)
_ARTIFACT: Final = _Fields(
    {
        "name": _TEXT,
        "path": _TEXT,
        "mode": _INTEGER,
        "raw": _Fields({"data": _TEXT}, required=("data",)),
    },
    required=("name", "path", "raw"),
)
_OUTPUT: Final = _Fields(
    {
        "name": _TEXT,
        "description": _TEXT,
        "valueFrom": _Fields({"path": _TEXT, "default": _VALUE}, required=("path",)),
    },
    required=("name", "valueFrom"),
)
_RETRY: Final = _Fields(
    {
        "limit": _integer_or_digits,
        "retryPolicy": _OneOf(*sorted(POLICIES)),
        "expression": _TEXT,
        "backoff": _Fields(
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
_HOOK: Final = _Fields(
    {"template": _TEXT, "expression": _TEXT, "arguments": _ARGUMENTS},
    required=("template", "expression"),
)
_TASK: Final = _Fields(
    {
        "name": _TEXT,
        "template": _TEXT,
        "arguments": _ARGUMENTS,
        "depends": _TEXT,
        "dependencies": _texts,
        "when": _TEXT,
        "withItems": _items,
        "hooks": _Map(_HOOK),
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
_TEMPLATE: Final = _Fields(
    {
        "name": _TEXT,
        "inputs": _Fields({"parameters": _List(_INPUT), "artifacts": _List(_ARTIFACT)}),
        "outputs": _Fields({"parameters": _List(_OUTPUT)}),
        "metadata": _METADATA,
        "dag": _Fields({"tasks": _List(_TASK), "failFast": _FLAG}, required=("tasks",)),
        "container": _CONTAINER,
        "resource": _Fields(
            {"action": _OneOf("delete"), "flags": _texts},
            required=("action", "flags"),
        ),
        "initContainers": _List(_OTHER_CONTAINER),
        "sidecars": _List(_OTHER_CONTAINER),
        "volumes": _List(_VOLUME),
        "daemon": _FLAG,
        "parallelism": _INTEGER,
        "failFast": _FLAG,
        "retryStrategy": _RETRY,
        "activeDeadlineSeconds": _integer_or_digits,
        "timeout": _duration,
        "pendingTimeout": _duration,
        "synchronization": _Fields(
            {
                "mutexes": _List(
                    _Fields({"name": _TEXT, "namespace": _TEXT}, required=("name",))
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
_SPEC: Final = _Fields(
    {
        "entrypoint": _TEXT,
        "arguments": _ARGUMENTS,
        "templates": _List(_TEMPLATE),
        "volumes": _List(_VOLUME),
        "podMetadata": _METADATA,
        "shutdown": _OneOf("Terminate", "Stop", ""),
        **dict.fromkeys(_CLUSTER_FIELDS_OF_WORKFLOW, _accept),
        "automountServiceAccountToken": _FLAG,
    },
    required=("entrypoint", "templates"),
)
_DOCUMENT: Final = _Fields(
    {
        "apiVersion": _OneOf("argoproj.io/v1alpha1"),
        "kind": _OneOf("Workflow"),
        "metadata": _accept,
        "spec": _SPEC,
        "status": _accept,
    },
    required=("metadata", "spec"),
)
