"""Fields of a Workflow that the local engine supports: an allow-list for every level.

Nothing is ignored. Some fields only decide where, or how long, something may exist on a
cluster (affinity, TTL, service accounts). They mean nothing on one machine, so they are
accepted.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from riseml.engines.local.interpreter.field_rules import (
    ABSOLUTE_PATH,
    FLAG,
    INTEGER,
    INTEGER_OR_DIGITS,
    NAME,
    PARAMETER_NAME,
    PARAMETER_VALUE,
    PATH_BELOW,
    QUANTITY,
    TEXT,
    TEXTS,
    Fields,
    FilledList,
    Items,
    Keys,
    List,
    Map,
    Mounts,
    OneOf,
    Rule,
    SomeFields,
    UniqueList,
    accept,
    duration,
    item,
    unsupported,
)
from riseml.engines.local.interpreter.rules import POLICIES


def faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield every field or value that the local engine cannot run, with its path."""
    return _DOCUMENT("", document)


CLAIMS: Final = ("riseml-data", "riseml-output", "riseml-store")
"""The claims that a folder of the machine stands for."""

# The fields, innermost first

_ARGUMENTS: Final = Fields(
    {
        "parameters": UniqueList(
            Fields(
                {"name": PARAMETER_NAME, "value": PARAMETER_VALUE, "description": TEXT},
                required=("name",),
            )
        )
    }
)
_SECRET: Final = Fields(
    {"name": TEXT, "key": TEXT, "optional": FLAG}, required=("name", "key")
)
_ENV: Final = Fields(
    {"name": TEXT, "value": TEXT, "valueFrom": Fields({"secretKeyRef": _SECRET})},
    required=("name",),
)
_MOUNT: Final = Fields(
    {
        "name": TEXT,
        "mountPath": ABSOLUTE_PATH,
        "subPath": PATH_BELOW,
        "readOnly": FLAG,
    },
    required=("name", "mountPath"),
)
_VOLUME: Final = Fields(
    {
        "name": TEXT,
        "persistentVolumeClaim": Fields(
            {"claimName": OneOf(*CLAIMS), "readOnly": FLAG}, required=("claimName",)
        ),
        # Nothing here limits the size of a folder.
        "emptyDir": Fields({"medium": OneOf("", "Memory")}),
        "secret": Fields(
            {
                "secretName": TEXT,
                "optional": FLAG,
                "items": accept,
                "defaultMode": INTEGER,
            }
        ),
    },
    required=("name",),
)
_REQUESTS: Final = Keys(QUANTITY, "cpu|memory|.*/gpu", "has no such resource")
# Clusters have names of their own for shares of a GPU, which annotations describe. What
# they limit beside GPUs is what a job requests, which a setting enforces on one machine.
_LIMITS: Final = Keys(
    QUANTITY, "cpu|memory|.*/gpu.*|.*/mig-.*", "limits cpu, memory and GPUs only"
)
_CONTAINER_RULES: Final[Mapping[str, Rule]] = {
    "name": TEXT,
    "image": TEXT,
    "imagePullPolicy": TEXT,
    "command": TEXTS,
    "args": TEXTS,
    "workingDir": ABSOLUTE_PATH,
    "env": UniqueList(_ENV),
    # A local process opens its ports itself.
    "ports": accept,
    "resources": Fields({"requests": _REQUESTS, "limits": _LIMITS}),
    "volumeMounts": Mounts(_MOUNT),
    "mirrorVolumeMounts": OneOf(False),
}
_CONTAINER: Final = Fields(_CONTAINER_RULES, required=("image", "command"))
_OTHER_CONTAINER: Final = Fields(
    _CONTAINER_RULES, required=("name", "image", "command")
)
_METADATA: Final = Fields({"labels": Map(TEXT), "annotations": Map(TEXT)})
_INPUT: Final = Fields(
    {
        "name": PARAMETER_NAME,
        "value": PARAMETER_VALUE,
        "default": PARAMETER_VALUE,
        "description": TEXT,
    },
    required=("name",),
)
_ARTIFACT: Final = Fields(
    {
        "name": TEXT,
        "path": TEXT,
        "mode": INTEGER,
        "raw": Fields({"data": TEXT}, required=("data",)),
    },
    required=("name", "path", "raw"),
)
_OUTPUT: Final = Fields(
    {
        "name": PARAMETER_NAME,
        "description": TEXT,
        "valueFrom": Fields({"path": TEXT, "default": TEXT}, required=("path",)),
    },
    required=("name", "valueFrom"),
)
_RETRY: Final = Fields(
    {
        "limit": INTEGER_OR_DIGITS,
        "retryPolicy": OneOf(*sorted(POLICIES)),
        "expression": TEXT,
        "backoff": Fields(
            {
                "duration": duration,
                "factor": INTEGER_OR_DIGITS,
                "maxDuration": duration,
                "cap": duration,
            },
            required=("duration",),
        ),
    }
)
_HOOK: Final = Fields(
    {"template": TEXT, "expression": TEXT, "arguments": _ARGUMENTS},
    required=("template", "expression"),
)
_TASK: Final = Fields(
    {
        "name": NAME,
        "template": TEXT,
        "arguments": _ARGUMENTS,
        "depends": TEXT,
        "dependencies": TEXTS,
        "when": TEXT,
        "withItems": Items(item),
        "withParam": TEXT,
        "hooks": Map(_HOOK),
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
_OTHER_KINDS: Final = ("suspend", "http", "data", "containerSet", "plugin", "script")
_TEMPLATE: Final = Fields(
    {
        "name": NAME,
        "inputs": Fields(
            {"parameters": UniqueList(_INPUT), "artifacts": UniqueList(_ARTIFACT)}
        ),
        "outputs": Fields({"parameters": UniqueList(_OUTPUT)}),
        "metadata": _METADATA,
        "dag": Fields(
            {"tasks": FilledList(_TASK), "failFast": FLAG}, required=("tasks",)
        ),
        "container": _CONTAINER,
        "resource": Fields(
            {"action": OneOf("delete"), "flags": TEXTS},
            required=("action", "flags"),
        ),
        **dict.fromkeys(_OTHER_KINDS, unsupported),
        "initContainers": UniqueList(_OTHER_CONTAINER),
        "sidecars": UniqueList(_OTHER_CONTAINER),
        "volumes": UniqueList(_VOLUME),
        "daemon": FLAG,
        "parallelism": INTEGER,
        "failFast": FLAG,
        "retryStrategy": _RETRY,
        "activeDeadlineSeconds": INTEGER_OR_DIGITS,
        "timeout": duration,
        "pendingTimeout": duration,
        "synchronization": Fields(
            {
                "mutexes": List(
                    Fields({"name": TEXT, "namespace": TEXT}, required=("name",))
                )
            },
            required=("mutexes",),
        ),
        # It names the pod's host; all jobs share the name of this machine.
        "podSpecPatch": TEXT,
        **dict.fromkeys(_CLUSTER_FIELDS_OF_TEMPLATE, accept),
        "automountServiceAccountToken": FLAG,
    },
    required=("name",),
)
_SPEC: Final = Fields(
    {
        "entrypoint": TEXT,
        "arguments": _ARGUMENTS,
        "templates": UniqueList(_TEMPLATE),
        "volumes": UniqueList(_VOLUME),
        "podMetadata": _METADATA,
        "shutdown": OneOf("Terminate", "Stop", ""),
        **dict.fromkeys(_CLUSTER_FIELDS_OF_WORKFLOW, accept),
        "automountServiceAccountToken": FLAG,
    },
    required=("entrypoint", "templates"),
)
_DOCUMENT: Final = Fields(
    {
        "apiVersion": OneOf("argoproj.io/v1alpha1"),
        "kind": OneOf("Workflow"),
        "metadata": SomeFields(_METADATA.rules),
        "spec": _SPEC,
        "status": accept,
    },
    required=("metadata", "spec"),
)
