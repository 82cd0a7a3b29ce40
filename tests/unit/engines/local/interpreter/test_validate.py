"""Validation of Workflows: what the local engine refuses, and the messages."""

import copy
from typing import Any

import pytest

from riseml.engines.local.interpreter.validate import check
from riseml.plan import Retries
from tests.unit import plans
from tests.unit.engines.local.interpreter.faults import faults_of
from tests.unit.workflows import arguments, dag, deletion, gang, job, task, workflow


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(plans.compiled(plans.single()), id="single"),
        pytest.param(
            plans.compiled(plans.grid({"lr": "0.1"}, {"lr": "1e-6"}, concurrency=2)),
            id="set",
        ),
        pytest.param(
            plans.compiled(plans.single(install=("pip install x",))), id="build"
        ),
        pytest.param(
            plans.compiled(plans.grid({"lr": "0.1"}, tensorboard=True)),
            id="tensorboard of a set",
        ),
        pytest.param(
            plans.compiled(plans.single(tensorboard=True)), id="tensorboard of one"
        ),
        pytest.param(
            plans.compiled(
                plans.single(retries=Retries(2), timeout=60, secrets=("KEY",))
            ),
            id="retries",
        ),
        pytest.param(gang("a", "b"), id="gang"),
    ],
)
def test_compiled_workflows_are_accepted(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    check(document)
    check({**document, "status": {"phase": "Running", "nodes": {"x": {}}}})
    assert document == before


def test_fields_that_an_api_server_adds_are_accepted() -> None:
    document = workflow(
        dag("main", task("a"), inputs={}, outputs={}, metadata={}),
        job(
            container={"name": "", "resources": {}, "ports": [{"containerPort": 1}]},
            inputs={},
            outputs={},
            metadata={},
        ),
        arguments={},
        priority=None,
    )
    document["metadata"] |= {
        "uid": "u",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"x": 1}],
    }
    check(document)


CONTAINER = "spec.templates[job].container"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            job(container={"livenessProbe": {"x": 1}}),
            f"{CONTAINER}.livenessProbe: the local engine does not run liveness probes",
        ),
        (
            job(container={"securityContext": {"runAsUser": 1}}),
            f"{CONTAINER}.securityContext: ",
        ),
        (
            job(container={"tty": True}),
            f"{CONTAINER}.tty: the local engine does not support this field",
        ),
        (
            job(container={"command": "sh"}),
            f"{CONTAINER}.command: 'sh' is not a list of texts",
        ),
        (job(container={"command": []}), f"{CONTAINER}: command is missing"),
        (
            job(container={"env": [{"name": "A", "value": 1}]}),
            f"{CONTAINER}.env[A].value: 1 is not text",
        ),
        (
            job(
                container={
                    "env": [
                        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}
                    ]
                }
            ),
            f"{CONTAINER}.env[A].valueFrom.fieldRef: ",
        ),
        (
            job(container={"volumeMounts": [{"name": "v"}]}),
            f"{CONTAINER}.volumeMounts[v]: mountPath is missing",
        ),
        (
            job(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
            "spec.templates[job].volumes[v].hostPath: the local engine mounts only",
        ),
        (
            job(volumes=[{"name": "v", "emptyDir": {"medium": "HugePages"}}]),
            "medium: the local engine supports '' and 'Memory'",
        ),
        (
            job(
                inputs={
                    "artifacts": [{"name": "a", "path": "/a", "git": {"repo": "r"}}]
                }
            ),
            "inputs.artifacts[a].git: ",
        ),
        (
            job(inputs={"artifacts": [{"name": "a", "path": "/a"}]}),
            "inputs.artifacts[a]: raw is missing",
        ),
        (
            job(retryStrategy={"retryPolicy": "OnTransientError"}),
            "retryPolicy: the local engine supports 'Always'",
        ),
        (job(retryStrategy={"limit": "{{x}}"}), "limit: '{{x}}' is not a whole number"),
        (
            job(retryStrategy={"backoff": {"duration": "1 day"}}),
            "backoff.duration: '1 day' is not a duration",
        ),
        (job(retryStrategy={"backoff": {"factor": 2}}), "backoff: duration is missing"),
        (job(retryStrategy={"affinity": {"x": 1}}), "retryStrategy.affinity: "),
        (
            job(retryStrategy={"expression": "lastRetry.exitCode > 1"}),
            "cannot compare text with a number",
        ),
        (
            job(retryStrategy={"expression": "lastRetry.foo == '1'"}),
            "retryStrategy.expression: 'lastRetry.foo' has no value here",
        ),
        (
            job(retryStrategy={"limit": 1}, daemon=True),
            "spec.templates[job].daemon: Argo ignores it",
        ),
        (
            job(retryStrategy={"limit": 1}, pendingTimeout="1m"),
            "spec.templates[job].pendingTimeout: Argo ignores it",
        ),
        (
            job(activeDeadlineSeconds="x"),
            "activeDeadlineSeconds: 'x' is not a whole number",
        ),
        (
            job(synchronization={"semaphores": [{"name": "x"}]}),
            "synchronization.semaphores: the local engine supports mutexes only",
        ),
        (
            job(memoize={"key": "x"}),
            "spec.templates[job].memoize: the local engine does not memoize",
        ),
        (
            job(parallelism=2),
            "spec.templates[job].parallelism: the local engine supports it in dag templates only",
        ),
        (job(daemon="yes"), "spec.templates[job].daemon: 'yes' is not true or false"),
        (job(podSpecPatch='{"containers": []}'), "spec.templates[job].podSpecPatch: "),
        (job(podSpecPatch="{"), "spec.templates[job].podSpecPatch: "),
        (
            job(container={"args": ["{{=1 + 1}}"]}),
            "spec.templates[job]: the local engine does not evaluate {{=1 + 1}}",
        ),
        (
            job(container={"args": ["{{inputs.parameters.x}}"]}),
            "{{inputs.parameters.x}} has no value here",
        ),
        (
            job(container={"args": ["{{workflow.status}}"]}),
            "{{workflow.status}} has no value here",
        ),
        (
            job(container={"args": ["{{workflow.annotations.x}}"]}),
            "{{workflow.annotations.x}} has no value",
        ),
        (
            job(sidecars=[{"name": "main", "image": "i", "command": ["x"]}]),
            "spec.templates[job][main]: the name appears 2 times",
        ),
        (
            {"name": "job", "steps": [[{"name": "x"}]]},
            "spec.templates[job].steps: the local engine runs dag templates only",
        ),
        ({"name": "job", "script": {"image": "i"}}, "spec.templates[job].script: "),
        (
            {"name": "job"},
            "spec.templates[job]: a template has exactly one of dag, container, resource, not none",
        ),
        ({**job(), "dag": {"tasks": [task("b", "c")]}}, "not dag and container"),
        (
            deletion(
                "job",
                "a=b",
                inputs={
                    "artifacts": [{"name": "a", "path": "/a", "raw": {"data": "x"}}]
                },
            ),
            "inputs.artifacts: ",
        ),
        (
            deletion("job", "a=b", inputs=[], retryStrategy={"limit": 1}),
            "retryStrategy: a deletion is not retried",
        ),
        (
            dag(
                "job",
                task("b", "job2"),
                retryStrategy={"backoff": {"duration": "1", "maxDuration": "2"}},
            ),
            "backoff.maxDuration: ",
        ),
        (
            job(metadata={"labels": ["x"]}),
            "spec.templates[job].metadata.labels: ['x'] is not a map",
        ),
        (
            deletion("job", "a in (b)", inputs=[]),
            "spec.templates[job].resource.flags: the selector",
        ),
        (
            {"name": "job", "resource": {"action": "create", "flags": ["pods"]}},
            "resource.action: the local engine supports 'delete'",
        ),
        (
            {
                "name": "job",
                "resource": {"action": "delete", "flags": ["nodes", "-l", "a=b"]},
            },
            "is more than pods, one selector and a grace period",
        ),
        (
            {
                "name": "job",
                "resource": {"action": "delete", "flags": ["pods"], "manifest": "x"},
            },
            "resource.manifest: ",
        ),
        (
            job(
                outputs={
                    "parameters": [{"name": "r", "valueFrom": {"expression": "1"}}]
                }
            ),
            "valueFrom.expression: ",
        ),
    ],
)
def test_faults_of_templates(template: dict[str, Any], message: str) -> None:
    document = workflow(dag("main", task("a")), template)
    if message:
        assert message in faults_of(document)
    else:
        check(document)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entrypoint": "nope"}, "spec.entrypoint: there is no template 'nope'"),
        (
            {"parallelism": 2},
            "spec.parallelism: the local engine does not support this field",
        ),
        ({"onExit": "x"}, "spec.onExit: the local engine does not run exit handlers"),
        ({"hooks": {"running": {}}}, "spec.hooks: "),
        ({"activeDeadlineSeconds": 5}, "spec.activeDeadlineSeconds: "),
        (
            {"volumeClaimTemplates": [{}]},
            "spec.volumeClaimTemplates: the local engine does not create claims",
        ),
        (
            {"workflowTemplateRef": {"name": "x"}},
            "spec.workflowTemplateRef: the local engine runs only complete Workflows",
        ),
        (
            {"templates": [job(), job()], "entrypoint": "job"},
            "spec.templates[job]: the name appears 2 times",
        ),
        (
            {"arguments": arguments({"p": ["x"]})},
            "spec.arguments.parameters[p].value: ['x'] is not text",
        ),
        ({"shutdown": "Maybe"}, "spec.shutdown: "),
        (
            {
                "volumes": [
                    {"name": "v", "secret": {"secretName": "{{workflow.labels.x}}"}}
                ]
            },
            "spec.volumes[v]: {{workflow.labels.x}}",
        ),
        ({"templates": {}}, "spec.templates: {} is not a list"),
    ],
)
def test_faults_of_the_spec(changes: dict[str, Any], message: str) -> None:
    document = workflow(dag("main", task("a")), job())
    document["spec"] |= changes
    assert message in faults_of(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "document: metadata is missing"),
        (
            {"kind": "CronWorkflow", "metadata": {"name": "x"}, "spec": {}},
            "kind: the local engine supports 'Workflow', not 'CronWorkflow'",
        ),
        (
            workflow(job(), name=""),
            "metadata.name: the local engine runs named Workflows only",
        ),
        ({"metadata": [], "spec": []}, "spec: [] is not a map"),
    ],
)
def test_faults_of_the_document(document: dict[str, Any], message: str) -> None:
    assert message in faults_of(document)


def test_all_faults_are_reported_at_once_up_to_a_limit() -> None:
    document = workflow(
        dag("main", task("a")),
        job(tty=1, container={"tty": True}, suspend={"x": 1}),
        onExit="x",
    )
    assert len(faults_of(document).splitlines()) == 4
    many = workflow(
        dag("main", *(task(f"t{i}", onExit="x") for i in range(100))), job()
    )
    assert faults_of(many).splitlines()[-1] == "and 80 more"
