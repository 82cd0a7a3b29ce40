"""Standalone documents in a fresh namespace whose only addition is the executor's role, and runs of a template."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from riseml import Client
from riseml.client.compilation import Export
from riseml.cluster.api import Api, path
from riseml.cluster.users import User
from riseml.compiler import compile_workflow, reusable
from riseml.compiler.names import Names
from riseml.manifest import to_yaml
from riseml.plan import Origin, Target
from tests.cluster.user_namespace import wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(280),
    pytest.mark.xdist_group("system"),
]

NAMESPACE = "riseml-standalone-test"
# Empty without the program.
ARGO = shutil.which(os.environ.get("RISEML_TEST_ARGO", "argo")) or ""
TRAIN = "import riseml, sys\nriseml.report_result(loss=1 - float(sys.argv[1]))\n"
GRID = """
project: toy
train:
  image: localhost/base:1
  install: touch /installed
  resources: {cpus: 0.05, mem: 64M}
  parameters: {lr: [0.25, 0.5]}
  run: [test -e /installed, "python3 train.py {{lr}}"]
"""
GANG = """
project: gang
train:
  framework: pytorch
  image: localhost/base:1
  resources: {cpus: 0.05, mem: 64M}
  pytorch: {workers: 2}
  run: getent hosts $MASTER_ADDR && python3 train.py 0.$RANK
"""


def _run(*command: str) -> str:
    return subprocess.check_output(command, text=True, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def namespace(api: Api) -> Iterator[str]:
    """Return a fresh namespace whose default account has the executor's role."""
    version = "rbac.authorization.k8s.io/v1"
    rule = {
        "apiGroups": ["argoproj.io"],
        "resources": ["workflowtaskresults"],
        "verbs": ["create", "patch"],
    }
    metadata = {"name": "executor"}
    api.ensure(path("namespaces"), {"metadata": {"name": NAMESPACE}})
    api.ensure(
        path("roles", NAMESPACE),
        {"apiVersion": version, "kind": "Role", "metadata": metadata, "rules": [rule]},
    )
    account = {"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "executor"}
    binding = {
        "apiVersion": version,
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": role,
        "subjects": [account],
    }
    api.ensure(path("rolebindings", NAMESPACE), binding)
    yield NAMESPACE
    api.delete(path("namespaces", name=NAMESPACE))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "train.py").write_text(TRAIN)
    return folder


def _written(project: Path, config: str, **options: Any) -> Path:
    """Return the file with the documents of a riseml.yml."""
    (project / "riseml.yml").write_text(config)
    client = Client(project.parent / "home")
    exported = client.export(project / "riseml.yml", Export(standalone=True, **options))
    file = project.parent / "documents.yaml"
    file.write_text("---\n".join(map(to_yaml, exported.documents)))
    return file


def _created(namespace: str, file: Path) -> str:
    """Create what a file contains; return the name of its Workflow."""
    kubectl = ("kubectl", "-n", namespace, "create", "-f", str(file), "-o", "name")
    *_, workflow = _run(*kubectl).split()
    return workflow.rpartition("/")[2]


def _result(api: Api, name: str) -> str:
    """Return the result of a run once it has succeeded."""
    workflow = path("workflows", NAMESPACE, name)

    def has_ended() -> bool:
        phase = api.get(workflow).get("status", {}).get("phase")
        return phase in {"Succeeded", "Failed", "Error"}

    wait_until(has_ended, 120, "the end of the run")
    status = api.get(workflow)["status"]
    assert status["phase"] == "Succeeded", status
    (parameter,) = status["nodes"][name]["outputs"]["parameters"]
    return str(parameter["value"])


def test_a_grid_runs_with_kubectl(api: Api, namespace: str, project: Path) -> None:
    name = _created(namespace, _written(project, GRID))
    assert json.loads(_result(api, name)) == [{"loss": 0.75}, {"loss": 0.5}]


def test_jobs_of_a_gang_find_each_other(
    api: Api, namespace: str, project: Path
) -> None:
    name = _created(namespace, _written(project, GANG))
    assert json.loads(_result(api, name)) == {"loss": 1}


@pytest.mark.skipif(not ARGO, reason="needs `argo`, or RISEML_TEST_ARGO")
def test_the_command_of_argo_accepts_all_documents(
    api: Api, namespace: str, project: Path
) -> None:
    file = str(_written(project, GANG))
    assert "no linting errors" in _run(ARGO, "lint", "--strict", "-n", namespace, file)
    file = str(_written(project, GRID, cron="0 3 * * *"))
    assert "no linting errors" in _run(ARGO, "lint", "--strict", "-n", namespace, file)
    file = str(_written(project, GRID, template=True))
    assert "no linting errors" in _run(ARGO, "lint", "--strict", "-n", namespace, file)
    _run("kubectl", "-n", namespace, "apply", "-f", file)
    submit = (ARGO, "submit", "-n", namespace, "-o", "name")
    name = _run(*submit, "--from", "workflowtemplate/toy", "-p", "lr=0.125")
    assert json.loads(_result(api, name.strip())) == [{"loss": 0.875}]


def test_runs_of_a_template_get_numbers(
    api: Api, user: User, client: Client, project: Path
) -> None:
    text = GRID.replace("  install: touch /installed\n", "")
    file = project / "riseml.yml"
    file.write_text(text.replace("test -e /installed, ", ""))
    run = client.train(file)
    client.wait(run.id)
    plan = client.plan(file)
    origin = Origin(
        user.name, revision=client.read(run.id).revision, takes_arguments=True
    )
    target = Target(git_image="localhost/base:1")
    workflow = compile_workflow(plan, origin, target)
    names = Names(plan, origin, target)
    template = reusable.workflow_template(workflow, names)
    templates = path("workflows", f"riseml-{user.name}")
    api.ensure(templates.replace("workflows", "workflowtemplates"), template)
    reference = {"workflowTemplateRef": {"name": "toy"}}
    document = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "toy-", "labels": {"riseml.io/project": "toy"}},
        "spec": reference,
    }
    for _ in range(2):
        api.create(path("workflows", f"riseml-{user.name}"), document)
    numbers = [status.number for status in client.runs(all=True)]
    assert numbers == [3, 2, 1]
    client.wait("3")
    finished = client.read("3")
    assert [e.result for e in finished.experiments] == [{"loss": 0.75}, {"loss": 0.5}]
