"""Builders of small Workflows for tests of the interpreter."""

from typing import Any

Data = dict[str, Any]


def workflow(
    *templates: Data, name: str = "w", annotations: Data | None = None, **spec: Any
) -> Data:
    """Return a Workflow whose entrypoint is its first template."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": name,
            "namespace": "ns",
            "labels": {"l": "label"},
            "annotations": annotations or {},
        },
        "spec": {
            "entrypoint": templates[0]["name"],
            "templates": list(templates),
            **spec,
        },
    }


def dag(name: str, *tasks: Data, fail_fast: bool | None = None, **fields: Any) -> Data:
    """Return a DAG template; `fail_fast` is the `failFast` of the dag, not of the template."""
    body: Data = {"tasks": list(tasks)}
    if fail_fast is not None:
        body["failFast"] = fail_fast
    return with_parameters({"name": name, "dag": body, **fields})


def job(name: str = "job", **fields: Any) -> Data:
    """Return a container template."""
    container = {
        "image": "i",
        "command": ["sh", "-c"],
        "args": ["true"],
        **fields.pop("container", {}),
    }
    return with_parameters({"name": name, "container": container, **fields})


def task(name: str, template: str = "job", **fields: Any) -> Data:
    """Return a task; `arguments` is a map."""
    if "arguments" in fields:
        fields["arguments"] = arguments(fields["arguments"])
    return {"name": name, "template": template, **fields}


def arguments(values: Data) -> Data:
    return {
        "parameters": [{"name": name, "value": value} for name, value in values.items()]
    }


def with_parameters(template: Data) -> Data:
    """Expand `inputs=["a"]` and `outputs={"r": default}` to the form of Argo."""
    if isinstance(template.get("inputs"), list):
        template["inputs"] = {
            "parameters": [{"name": name} for name in template["inputs"]]
        }
    if template.get("outputs") and "parameters" not in template["outputs"]:
        parameters = []
        for name, default in template["outputs"].items():
            source = {
                "path": f"/{name}",
                **({} if default is None else {"default": default}),
            }
            parameters.append({"name": name, "valueFrom": source})
        template["outputs"] = {"parameters": parameters}
    return template


def deletion(
    name: str = "end", selector: str = "gang={{inputs.parameters.gang}}", **fields: Any
) -> Data:
    """Return a template that deletes pods."""
    flags = [
        "pods",
        "--selector",
        f"workflows.argoproj.io/workflow={{{{workflow.name}}}},{selector}",
        "--wait=false",
    ]
    return with_parameters(
        {
            "name": name,
            "resource": {"action": "delete", "flags": flags},
            "inputs": ["gang"],
            **fields,
        }
    )


def gang(*members: str, **templates: Any) -> Data:
    """Return a Workflow of jobs that stop each other when one fails.

    `templates` replaces the templates of some by name.
    """
    tasks = [
        task(
            member,
            member,
            hooks={
                "end": {
                    "template": "end",
                    "expression": f'tasks["{member}"].status == "Failed" || tasks["{member}"].status == "Error"',
                    "arguments": arguments({"gang": "1"}),
                }
            },
        )
        for member in members
    ]
    jobs = [
        templates.get(member) or job(member, metadata={"labels": {"gang": "1"}})
        for member in members
    ]
    return workflow(dag("main", *tasks), *jobs, deletion())
