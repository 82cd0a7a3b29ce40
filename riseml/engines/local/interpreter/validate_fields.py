"""Fields of a Workflow that the local engine supports: an allow-list for every level.

Nothing is ignored: a rule checks a value and yields its faults, each with the path of
the value. Some fields only decide where, or how long, something may exist on a cluster
(affinity, TTL, service accounts). They mean nothing on one machine, so they are
accepted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    """The value passes a test; `description` completes "is not …"."""

    def __init__(self, test: Callable[[Any], bool], description: str) -> None:
        self.test = test
        self.description = description

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        if not self.test(value):
            yield f"{path}: {value!r} is not {self.description}"


def _has_type(*types: type) -> Callable[[Any], bool]:
    """Return a test whether a value has one of the types."""

    def test(value: Any) -> bool:
        # In Python a truth value is a number, in JSON it is not.
        if isinstance(value, bool):
            return bool in types
        return isinstance(value, types)

    return test


_is_text: Final = _has_type(str)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_filled_list(value: Any) -> bool:
    return _is_list(value) and len(value) > 0


def _is_list_of_texts(value: Any) -> bool:
    return _is_list(value) and all(map(_is_text, value))


def _is_digits(value: Any) -> bool:
    return str(value).isdecimal()


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


_TEXT: Final = _Is(_is_text, "text")
_VALUE: Final = _Is(_has_type(str, int, float, bool), "a value")
_FLAG: Final = _Is(_has_type(bool), "true or false")
_INTEGER: Final = _Is(_has_type(int), "a whole number")
_INTEGER_OR_DIGITS: Final = _Is(_is_digits, "a whole number")
_TEXTS: Final = _Is(_is_list_of_texts, "a list of texts")


# Rules for lists and maps


class _Collection:
    """The value is a collection, and `rule` holds for each of its items."""

    test: Callable[[Any], bool]
    # Completes "is not …".
    description: str

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __call__(self, path: str, value: Any) -> Iterator[str]:
        if not self.test(value):
            yield f"{path}: {value!r} is not {self.description}"
            return
        for key, item in self.entries(value):
            yield from self.rule(f"{path}[{key}]", item)

    def entries(self, value: Any) -> Iterable[tuple[object, Any]]:
        """Return the items, each with its key in a path."""
        return enumerate(value)


class _Map(_Collection):
    """A map, whose keys are free."""

    test = staticmethod(_has_type(Mapping))
    description = "a map"

    def entries(self, value: Any) -> Iterable[tuple[object, Any]]:
        yield from value.items()


class _Items(_Collection):
    """The items of a task, of which there is at least one."""

    test = staticmethod(_is_filled_list)
    description = "a list of items"


class _List(_Collection):
    """A list, whose items have names if they are maps."""

    test = staticmethod(_is_list)
    description = "a list"

    def entries(self, value: Any) -> Iterable[tuple[object, Any]]:
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                yield item.get("name") or index, item
            else:
                yield index, item


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


_ITEM_TEXT: Final = _Is(_has_type(str, int), "text or a map")
_ITEM_MAP: Final = _Map(_Is(_has_type(str, int), "text"))


def _item(path: str, value: Any) -> Iterator[str]:
    rule: Rule = _ITEM_MAP if isinstance(value, Mapping) else _ITEM_TEXT
    yield from rule(path, value)


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
    "command": _TEXTS,
    "args": _TEXTS,
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
        "limit": _INTEGER_OR_DIGITS,
        "retryPolicy": _OneOf(*sorted(POLICIES)),
        "expression": _TEXT,
        "backoff": _Fields(
            {
                "duration": _duration,
                "factor": _INTEGER_OR_DIGITS,
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
        "dependencies": _TEXTS,
        "when": _TEXT,
        "withItems": _Items(_item),
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
            {"action": _OneOf("delete"), "flags": _TEXTS},
            required=("action", "flags"),
        ),
        "initContainers": _List(_OTHER_CONTAINER),
        "sidecars": _List(_OTHER_CONTAINER),
        "volumes": _List(_VOLUME),
        "daemon": _FLAG,
        "parallelism": _INTEGER,
        "failFast": _FLAG,
        "retryStrategy": _RETRY,
        "activeDeadlineSeconds": _INTEGER_OR_DIGITS,
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
