"""Case of the comparison with Argo: a Workflow, and how the local engine treats it."""

from dataclasses import dataclass
from typing import Any, Literal

Data = dict[str, Any]
Verdict = Literal["same", "refused", "different"]

RESULTS = "/riseml"
"""Folder in which pods write output parameters; it is a volume on both engines."""


@dataclass(frozen=True)
class Case:
    """A Workflow, and whether the local engine agrees with Argo.

    `refused` means that the local engine refuses what Argo starts. `reason` explains
    a verdict other than `same`. With `stop`, the Workflow is told to stop once a pod
    runs.
    """

    document: Data
    verdict: Verdict = "same"
    reason: str = ""
    stop: bool = False


def same(document: Data, *, stop: bool = False) -> Case:
    """Return a case in which the local engine does what Argo does."""
    return Case(document, stop=stop)


def unsupported(document: Data, reason: str = "not supported on one machine") -> Case:
    """Return a case that the local engine refuses by name."""
    return Case(document, "refused", reason)


def workflow(*templates: Data, metadata: Data | None = None, **spec: Any) -> Data:
    """Return a Workflow without a name, whose entrypoint is its first template."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata or {},
        "spec": {
            "entrypoint": templates[0]["name"],
            "templates": list(templates),
            **spec,
        },
    }


def pod(script: str = "true", name: str = "pod", **fields: Any) -> Data:
    """Return a container template that runs a script.

    `outputs` maps output parameters to their defaults (None: without one), which the
    script writes to $R/NAME. `container` replaces fields of the container.
    """
    container = {
        "image": "localhost/base:1",
        "command": ["sh", "-c"],
        "args": [script],
        **fields.pop("container", {}),
    }
    template: Data = {"name": name, "container": container, **fields}
    outputs = fields.get("outputs")
    if isinstance(outputs, dict) and "parameters" not in outputs:
        template["outputs"] = {"parameters": _outputs(outputs)}
        template["volumes"] = [{"name": "r", "emptyDir": {}}]
        container["volumeMounts"] = [{"name": "r", "mountPath": RESULTS}]
        container["env"] = [
            {"name": "R", "value": RESULTS},
            *container.get("env", ()),
        ]
    return _with_inputs(template)


def _outputs(outputs: Data) -> list[Data]:
    parameters = []
    for name, default in outputs.items():
        source = {"path": f"{RESULTS}/{name}"}
        if default is not None:
            source["default"] = default
        parameters.append({"name": name, "valueFrom": source})
    return parameters


def dag(*tasks: Data, name: str = "main", **fields: Any) -> Data:
    """Return a DAG template; `fail_fast` is the `failFast` of the dag."""
    body: Data = {"tasks": list(tasks)}
    if "fail_fast" in fields:
        body["failFast"] = fields.pop("fail_fast")
    return _with_inputs({"name": name, "dag": body, **fields})


def _with_inputs(template: Data) -> Data:
    inputs = template.get("inputs")
    if isinstance(inputs, list):
        parameters = [{"name": name} for name in inputs]
        template["inputs"] = {"parameters": parameters}
    return template


def task(name: str, template: str = "pod", **fields: Any) -> Data:
    """Return a task; `arguments` may be a map of parameters."""
    arguments = fields.get("arguments")
    if isinstance(arguments, dict) and "parameters" not in arguments:
        fields["arguments"] = parameters(**arguments)
    return {"name": name, "template": template, **fields}


def parameters(**values: Any) -> Data:
    """Return arguments."""
    return {"parameters": [{"name": key, "value": values[key]} for key in values]}


# A template that ends without a pod: all that it contains is skipped.
LEAF = dag(task("x", when="false"), name="leaf")
