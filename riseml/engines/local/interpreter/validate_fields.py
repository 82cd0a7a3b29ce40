"""Which fields of a Workflow the local engine runs, level by level: an allow-list, nothing is passed over silently.

A rule looks at a value under its path and yields what is wrong with it, if anything. Fields that only say where or how
long something may lie on a cluster (affinity, TTL, service accounts) mean nothing on one machine and are accepted.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from riseml.engines.local.interpreter.rules import POLICIES
from riseml.engines.local.interpreter.templates import seconds

Rule = Callable[[str, Any], Iterator[str]]

_REASONS: Final = {
    "livenessProbe": "does not run liveness probes",
    "readinessProbe": "does not run readiness probes",
    "startupProbe": "does not run start-up probes",
    "lifecycle": "does not run a container's own hooks",
    "securityContext": "runs everything as the user",
    "hostPath": "mounts only claims and empty folders",
    "configMap": "has no ConfigMaps",
    "git": "takes the code from its own store",
    "steps": "runs dag templates only, no steps",
    "script": "runs container templates only, no scripts",
    "suspend": "does not suspend",
    "http": "makes no HTTP requests",
    "data": "runs container templates only",
    "containerSet": "runs container templates only",
    "plugin": "has no plugins",
    "memoize": "does not memoize",
    "metrics": "emits no metrics",
    "onExit": "has no exit handlers",
    "withParam": "expands withItems only",
    "withSequence": "expands withItems only",
    "continueOn": "reads `depends` only",
    "semaphores": "has mutexes only",
    "templateRef": "runs templates of the Workflow itself only",
    "inline": "runs named templates only",
    "volumeClaimTemplates": "makes no claims",
    "workflowTemplateRef": "runs Workflows that are complete",
}


def faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield, under its path, every field or value that the local engine cannot run."""
    return _DOCUMENT("", document)


def _anything(path: str, value: Any) -> Iterator[str]:  # noqa: ARG001
    yield from ()


def _is(expected: type | tuple[type, ...], name: str) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, expected) or (
            isinstance(value, bool) and bool not in _types(expected)
        ):
            yield f"{path}: {value!r} is not {name}"

    return check


def _types(expected: type | tuple[type, ...]) -> tuple[type, ...]:
    return expected if isinstance(expected, tuple) else (expected,)


_TEXT: Final = _is(str, "text")
_VALUE: Final = _is((str, int, float, bool), "a value")
_FLAG: Final = _is(bool, "true or false")
_WHOLE: Final = _is(int, "a whole number")


def _duration(path: str, value: Any) -> Iterator[str]:
    try:
        seconds(value)
    except ValueError as error:
        yield f"{path}: {error}"


def _number(path: str, value: Any) -> Iterator[str]:
    if not str(value).isdecimal():
        yield f"{path}: {value!r} is no whole number"


def _one_of(*values: object) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if value not in values:
            yield f"{path}: the local engine knows {' and '.join(map(repr, values))}, not {value!r}"

    return check


def _texts(path: str, value: Any) -> Iterator[str]:
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(each, str) for each in value)
    ):
        yield f"{path}: {value!r} is not a list of texts"


def _map_of(rule: Rule) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path}: {value!r} is not a map"
            return
        for key, item in value.items():
            yield from rule(f"{path}[{key}]", item)

    return check


def _fields(rules: Mapping[str, Rule], *, needed: Sequence[str] = ()) -> Rule:
    """Allow these keys; a key that says nothing (null, empty) is allowed whatever it is."""

    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield f"{path or 'document'}: {value!r} is not a map"
            return
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            if key in rules and item is not None:
                yield from rules[key](below, item)
            elif item not in (None, {}, [], ""):
                yield f"{below}: the local engine {_REASONS.get(key, 'does not know this field')}"
        for key in needed:
            if value.get(key) in (None, ""):
                yield f"{path or 'document'}: {key} is missing"

    return check


def _each(rule: Rule) -> Rule:
    def check(path: str, value: Any) -> Iterator[str]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            yield f"{path}: {value!r} is not a list"
            return
        for place, item in enumerate(value):
            name = item.get("name") if isinstance(item, Mapping) else None
            yield from rule(f"{path}[{name or place}]", item)

    return check


def _items(path: str, value: Any) -> Iterator[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        yield f"{path}: {value!r} is not a list of items"
        return
    for place, item in enumerate(value):
        if isinstance(item, Mapping):
            yield from _map_of(_is((str, int), "text"))(f"{path}[{place}]", item)
        else:
            yield from _is((str, int), "text or a map")(f"{path}[{place}]", item)


_ARGUMENTS: Final = _fields(
    {
        "parameters": _each(
            _fields(
                {"name": _TEXT, "value": _VALUE, "description": _TEXT}, needed=("name",)
            )
        )
    }
)
_SECRET: Final = _fields(
    {"name": _TEXT, "key": _TEXT, "optional": _FLAG}, needed=("name", "key")
)
_ENV: Final = _fields(
    {"name": _TEXT, "value": _TEXT, "valueFrom": _fields({"secretKeyRef": _SECRET})},
    needed=("name",),
)
_MOUNT: Final = _fields(
    {"name": _TEXT, "mountPath": _TEXT, "subPath": _TEXT, "readOnly": _FLAG},
    needed=("name", "mountPath"),
)
_VOLUME: Final = _fields(
    {
        "name": _TEXT,
        "persistentVolumeClaim": _fields(
            {"claimName": _TEXT, "readOnly": _FLAG}, needed=("claimName",)
        ),
        "emptyDir": _fields({"medium": _one_of("", "Memory"), "sizeLimit": _VALUE}),
        "secret": _fields(
            {
                "secretName": _TEXT,
                "optional": _FLAG,
                "items": _anything,
                "defaultMode": _WHOLE,
            }
        ),
    },
    needed=("name",),
)
_CONTAINER_RULES: Final[Mapping[str, Rule]] = {
    "name": _TEXT,
    "image": _TEXT,
    "imagePullPolicy": _TEXT,
    "command": _texts,
    "args": _texts,
    "workingDir": _TEXT,
    "env": _each(_ENV),
    # What a container listens at; nothing is to be opened for it
    "ports": _anything,
    "resources": _fields({"requests": _map_of(_VALUE), "limits": _map_of(_VALUE)}),
    "volumeMounts": _each(_MOUNT),
    "mirrorVolumeMounts": _one_of(False),
}
_CONTAINER: Final = _fields(_CONTAINER_RULES, needed=("image", "command"))
_BESIDE: Final = _fields(_CONTAINER_RULES, needed=("name", "image", "command"))
_METADATA: Final = _fields({"labels": _map_of(_TEXT), "annotations": _map_of(_TEXT)})
_INPUT: Final = _fields(
    {"name": _TEXT, "value": _VALUE, "default": _VALUE, "description": _TEXT},
    needed=("name",),
)
_ARTIFACT: Final = _fields(
    {
        "name": _TEXT,
        "path": _TEXT,
        "mode": _WHOLE,
        "raw": _fields({"data": _TEXT}, needed=("data",)),
    },
    needed=("name", "path", "raw"),
)
_OUTPUT: Final = _fields(
    {
        "name": _TEXT,
        "description": _TEXT,
        "valueFrom": _fields({"path": _TEXT, "default": _VALUE}, needed=("path",)),
    },
    needed=("name", "valueFrom"),
)
_RETRY: Final = _fields(
    {
        "limit": _number,
        "retryPolicy": _one_of(*sorted(POLICIES)),
        "expression": _TEXT,
        "backoff": _fields(
            {
                "duration": _duration,
                "factor": _number,
                "maxDuration": _duration,
                "cap": _duration,
            },
            needed=("duration",),
        ),
    }
)
_HOOK: Final = _fields(
    {"template": _TEXT, "expression": _TEXT, "arguments": _ARGUMENTS},
    needed=("template", "expression"),
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
    needed=("name", "template"),
)
_TEMPLATE: Final = _fields(
    {
        "name": _TEXT,
        "inputs": _fields({"parameters": _each(_INPUT), "artifacts": _each(_ARTIFACT)}),
        "outputs": _fields({"parameters": _each(_OUTPUT)}),
        "metadata": _METADATA,
        "dag": _fields({"tasks": _each(_TASK), "failFast": _FLAG}, needed=("tasks",)),
        "container": _CONTAINER,
        "resource": _fields(
            {"action": _one_of("delete"), "flags": _texts}, needed=("action", "flags")
        ),
        "initContainers": _each(_BESIDE),
        "sidecars": _each(_BESIDE),
        "volumes": _each(_VOLUME),
        "daemon": _FLAG,
        "parallelism": _WHOLE,
        "failFast": _FLAG,
        "retryStrategy": _RETRY,
        "activeDeadlineSeconds": _number,
        "timeout": _duration,
        "pendingTimeout": _duration,
        "synchronization": _fields(
            {
                "mutexes": _each(
                    _fields({"name": _TEXT, "namespace": _TEXT}, needed=("name",))
                )
            },
            needed=("mutexes",),
        ),
        # Names a host, which every job of this machine shares
        "podSpecPatch": _TEXT,
        **dict.fromkeys(
            (
                "affinity",
                "nodeSelector",
                "tolerations",
                "priorityClassName",
                "serviceAccountName",
                "executor",
            ),
            _anything,
        ),
        "automountServiceAccountToken": _FLAG,
    },
    needed=("name",),
)
_SPEC: Final = _fields(
    {
        "entrypoint": _TEXT,
        "arguments": _ARGUMENTS,
        "templates": _each(_TEMPLATE),
        "volumes": _each(_VOLUME),
        "podMetadata": _METADATA,
        "shutdown": _one_of("Terminate", "Stop", ""),
        **dict.fromkeys(
            (
                "affinity", "nodeSelector", "tolerations", "priority", "podPriorityClassName", "serviceAccountName",
                "executor", "imagePullSecrets", "podGC", "ttlStrategy",
            ),
            _anything,
        ),
        "automountServiceAccountToken": _FLAG,
    },
    needed=("entrypoint", "templates"),
)  # fmt: skip
_DOCUMENT: Final = _fields(
    {
        "apiVersion": _one_of("argoproj.io/v1alpha1"),
        "kind": _one_of("Workflow"),
        "metadata": _anything,
        "spec": _SPEC,
        "status": _anything,
    },
    needed=("metadata", "spec"),
)
