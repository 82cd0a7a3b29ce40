"""Cases with what the local engine does not run, which it refuses by name."""

from typing import Any, Final

from tests.comparison.case import (
    LEAF,
    Case,
    Data,
    dag,
    pod,
    same,
    task,
    unsupported,
    workflow,
)

_SPEC: Final[dict[str, Any]] = {
    "onExit": "leaf",
    "hooks": {"exit": {"template": "leaf"}},
    "hooks-expression": {"hooks": {"h": {"template": "leaf", "expression": "true"}}},
    "activeDeadlineSeconds": 300,
    "parallelism": 1,
    "suspend": False,
    "archiveLogs": False,
    "hostNetwork": False,
    "dnsPolicy": "Default",
    "retryStrategy": {"limit": "1"},
    "templateDefaults": {"activeDeadlineSeconds": 60},
    "workflowMetadata": {"labels": {"a": "b"}},
    "metrics": {"prometheus": []},
    "podSpecPatch": "{}",
    "synchronization": {"mutexes": [{"name": "m"}]},
    "volumeClaimGC": {"strategy": "OnWorkflowCompletion"},
    "artifactGC": {"strategy": "Never"},
    "securityContext": {"runAsUser": 0},
}
_TEMPLATES: Final[dict[str, Data]] = {
    "steps": {"steps": [[{"name": "s", "template": "leaf"}]]},
    "script": {
        "script": {
            "image": "localhost/base:1",
            "command": ["sh"],
            "source": "true",
        }
    },
    "suspend": {"suspend": {"duration": "1"}},
    "two-kinds": {"suspend": {}, "dag": LEAF["dag"]},
    "no-kind": {},
    "resource-get": {
        "resource": {"action": "get", "manifest": "apiVersion: v1\nkind: Pod"}
    },
}
_TASKS: Final[dict[str, Data]] = {
    "hook-exit": {"hooks": {"exit": {"template": "leaf"}}},
    "on-exit": {"onExit": "leaf"},
    "continue-on": {"continueOn": {"failed": True}},
    "template-ref": {"template": "", "templateRef": {"name": "none", "template": "t"}},
    "inline": {"template": "", "inline": LEAF["dag"]},
    "unknown-field": {"foo": "bar"},
}
_CONTAINERS: Final[dict[str, Data]] = {
    "liveness": {"livenessProbe": {"exec": {"command": ["true"]}}},
    "lifecycle": {"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}},
    "security": {"securityContext": {"runAsUser": 0}},
    "env-from": {"envFrom": [{"configMapRef": {"name": "none", "optional": True}}]},
    "field-ref": {
        "env": [
            {
                "name": "A",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
            }
        ]
    },
    "tty": {"tty": True},
    "stdin": {"stdin": True},
    "command-text": {"command": "true"},
}


_REFUSED_BY_ARGO: Final = frozenset(
    {"two-kinds", "no-kind", "template-ref", "inline", "command-text"}
)


def _spec(name: str, value: Any) -> Case:
    fields = value if name == "hooks-expression" else {name: value}
    return unsupported(workflow(dag(task("a", "leaf")), LEAF, pod(), **fields))


def _case(name: str, document: Data) -> Case:
    # Argo refuses these as well.
    return same(document) if name in _REFUSED_BY_ARGO else unsupported(document)


def _template(name: str, body: Data) -> Case:
    main = dag(task("a", "other"))
    return _case(name, workflow(main, {"name": "other", **body}, LEAF, pod()))


CASES: dict[str, Case] = {
    **{f"spec-{name.lower()}": _spec(name, value) for name, value in _SPEC.items()},
    **{f"template-{name}": _template(name, body) for name, body in _TEMPLATES.items()},
    **{
        f"task-{name}": _case(
            name, workflow(dag({**task("a", "leaf"), **fields}), LEAF, pod())
        )
        for name, fields in _TASKS.items()
    },
    **{
        f"container-{name}": _case(name, workflow(pod(container=fields)))
        for name, fields in _CONTAINERS.items()
    },
    "no-templates": same(workflow(pod(), templates=[])),
    "spec-null": same({**workflow(pod()), "spec": None}),
    "name-capital": same(workflow(pod(), metadata={"name": "Abc"})),
    "name-underscore": same(workflow(pod(), metadata={"name": "a_c"})),
    "name-long": same(workflow(pod(), metadata={"name": "n" * 64})),
    "name-dot": same(workflow(pod(), metadata={"name": "a.b"})),
}
