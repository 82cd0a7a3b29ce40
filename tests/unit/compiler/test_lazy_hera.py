"""Hera is loaded as far as it is used, and gives the same documents as a complete import of it.

Each test runs a program in a process of its own, since a process imports Hera only once.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"

_COMPILE = """
import sys
from pathlib import Path
from riseml import compiler, config, manifest, planner
from riseml.plan import Build, BuildStep, Origin, Target

ORIGIN = Origin("me", 1, "0" * 40)
TARGET = Target()

def compiled(file, origin=ORIGIN, target=TARGET):
    plan = planner.plan(config.load(file).config)
    return compiler.compile_workflow(plan, origin, target)
"""
_PLAIN = "import hera.workflows\n"
# The first import of Hera that RiseML tries fails.
_OTHER_VERSION = "import sys; sys.modules['hera._yaml'] = None\n"
# They have each kind of volume and artifact.
_ALL_EXAMPLES = """
REMOTE = Origin("me", 1, "main", git_url="https://example.org/code.git")
BUILT = Origin("me", 1, "0" * 40, build=Build("key", (BuildStep("pip install x"),)))
CLUSTER = Target(namespace="mine", authorities="ca", pull_secrets=("login",))
for file in sorted(Path(sys.argv[1]).glob("*/riseml.yml")):
    for origin in (ORIGIN, REMOTE, BUILT):
        for target in (TARGET, CLUSTER):
            print(manifest.to_json(compiled(file, origin, target)))
"""
_MADE = """
import json
from hera.workflows import models
from riseml.compiler.lazy_classes import LazyModel
from riseml.compiler.lazy_modules import LazyModule

lazy = [model for model in vars(models).values() if isinstance(model, LazyModel)]
made = [model.__name__ for model in lazy if model.has_real_class()]
modules = sorted(
    name for name, module in sys.modules.items() if not isinstance(module, LazyModule)
)
print(json.dumps({"lazy": len(lazy), "made": made, "modules": modules}))
"""


def _run(program: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout


def _report(program: str) -> Any:
    return json.loads(_run(program))


def _loaded(example: str) -> Any:
    file = EXAMPLES / example / "riseml.yml"
    return _report(f"{_COMPILE}compiled(Path({str(file)!r}))\n{_MADE}")


def test_the_documents_are_those_of_a_complete_import() -> None:
    lazy = _run(_COMPILE + _ALL_EXAMPLES, str(EXAMPLES))
    assert len(lazy.splitlines()) == 6 * len(list(EXAMPLES.glob("*/riseml.yml")))
    assert lazy == _run(_PLAIN + _COMPILE + _ALL_EXAMPLES, str(EXAMPLES))


def test_only_models_of_the_program_have_plug_ins_of_pydantic() -> None:
    program = f"""{_COMPILE}{_ALL_EXAMPLES}
import os
from pydantic import BaseModel
from pydantic.plugin import _loader

before = _loader._plugins
class Own(BaseModel):
    number: int

print([before, _loader._plugins, os.environ.get("PYDANTIC_DISABLE_PLUGINS")])
"""
    assert _run(program, str(EXAMPLES)).splitlines()[-1] == "[None, {}, None]"


def test_another_version_of_hera_is_imported_completely() -> None:
    program = f"{_OTHER_VERSION}{_COMPILE}{_ALL_EXAMPLES}{_MADE}"
    *documents, report = _run(program, str(EXAMPLES)).splitlines()
    assert json.loads(report)["lazy"] == 0
    assert documents == _run(_COMPILE + _ALL_EXAMPLES, str(EXAMPLES)).splitlines()


def test_a_document_makes_only_the_models_that_it_has() -> None:
    report = _loaded("hello")
    assert report["lazy"] > 250
    assert {"Workflow", "Template", "Container", "DAGTask"} <= set(report["made"])
    assert not {"HTTP", "S3Artifact", "WorkflowStatus", "Probe"} & set(report["made"])
    assert len(report["made"]) <= 40


# Install steps have artifacts.
@pytest.mark.parametrize(
    ("example", "further"), [("hello", {"hera.workflows.artifact"}), ("mpi", set())]
)
def test_a_document_imports_no_module_that_it_does_not_need(
    example: str, further: set[str]
) -> None:
    modules = set(_loaded(example)["modules"])
    unneeded = {
        "asyncio",
        "hera.workflows.script",
        "hera.workflows.service",
        "hera.workflows.steps",
        "hera.workflows.volume",
        "http.client",
        "pydantic.v1",
        "requests",
        "urllib3",
    }
    assert not modules & (unneeded | further)


def test_the_rest_of_hera_is_there_for_programs_that_use_it() -> None:
    program = """
import riseml.compiler.workflow, hera, json, sys
from hera.workflows import Script, Steps, Workflow, WorkflowsService, models
from hera.workflows.service import WorkflowsService as same

service = WorkflowsService(host="http://localhost", token="", namespace="mine")
workflow = Workflow(name="a", workflows_service=service, entrypoint="b")
print(json.dumps({
    "version": hera.__version__,
    "script": Script.__module__,
    "namespace": workflow.workflows_service.namespace,
    "is service": isinstance(service, same),
    "requests": "requests" in sys.modules,
    "document": workflow.to_dict()["spec"],
}))
"""
    assert _report(program) == {
        "version": _run("import hera; print(hera.__version__)").strip(),
        "script": "hera.workflows.script",
        "namespace": "mine",
        "is service": True,
        "requests": True,
        "document": {"entrypoint": "b"},
    }


# It uses what documents of RiseML have not: scripts, clients, and classes that derive from
# those of modules with stand-ins.
_USER_PROGRAM = """
from hera.workflows import (
    Artifact, ClusterWorkflowTemplate, Container, CronWorkflow, DAG, EmptyDirVolume,
    NoneArchiveStrategy, S3Artifact, SecretEnv, Steps, Task, Volume, Workflow, script,
)
from hera.workflows.io.v1 import Input
import hera.workflows.models as models

class Values(Input):
    size: int = 1

@script(
    inputs=[S3Artifact(name="in", path="/in", key="key")],
    outputs=[Artifact(name="out", path="/out", archive=NoneArchiveStrategy())],
    env=[SecretEnv(name="A", secret_name="b", secret_key="c")],
    volumes=[Volume(name="v", size="1Gi", mount_path="/v"),
             EmptyDirVolume(name="e", mount_path="/e")],
)
def count(number: int = 1):
    print(number)

@script(constructor="runner", image="python:3.12")
def measure(values: Values): ...

probe = models.Probe(http_get=models.HTTPGetAction(port="80"))
main = Container(name="main", image="alpine", liveness_probe=probe)
with Workflow(generate_name="a-", entrypoint="dag", arguments={"p": 1}) as workflow:
    with Steps(name="steps") as steps:
        count(with_items=[1, 2])
        measure(arguments={"size": 2})
    with DAG(name="dag"):
        Task(name="a", template=main) >> Task(name="b", template=steps)
cron = CronWorkflow(name="cron", schedules=["* * * * *"], templates=[main])
print(workflow.to_yaml(), cron.to_yaml())
print(ClusterWorkflowTemplate(name="shared", templates=[main]).to_yaml())
print(Workflow.from_yaml(workflow.to_yaml()).to_yaml() == workflow.to_yaml())
print(isinstance(workflow.build().spec.templates[0], models.Template))
try:
    models.Template(name="x", container={"image": 5})
except ValueError as error:
    print(error)
"""


def test_a_program_that_uses_all_of_hera_gets_the_same(tmp_path: Path) -> None:
    # Hera reads the source code of scripts.
    (tmp_path / "plain.py").write_text(_PLAIN + _USER_PROGRAM)
    (tmp_path / "lazy.py").write_text(
        "import riseml.compiler.workflow\n" + _USER_PROGRAM
    )
    run = "import runpy; runpy.run_path({!r}, run_name='program')"
    plain = _run(run.format(str(tmp_path / "plain.py")))
    assert _run(run.format(str(tmp_path / "lazy.py"))) == plain
    assert plain.splitlines()[-6:-3] == [
        "True",
        "True",
        "1 validation error for Template",
    ]


# Their statements have what stand-ins do not keep.
_DERIVED_CLASSES = """
from hera.workflows.script import Script
from hera.workflows import Input, models, script
from pydantic import BaseModel, create_model
from pydantic.plugin import _loader

class Named(models.Parameter, extra="allow"):
    def text(self):
        return super().model_dump_json(exclude_none=True)

class Mixin:
    pass

class Mixed(Mixin, models.Parameter):
    size: int = 1

class Values(Input, extra="forbid"):
    size: int = 1

print(callable(script), Script.__module__)
print(Named(name="a", other=1).text(), Mixed(name="b"), Values(size=2))
print(create_model("Made", __base__=models.Parameter, size=(int, 1))(name="c"))
print(isinstance(Mixed(name="b"), models.Parameter), issubclass(Named, BaseModel))
print(_loader._plugins)
"""


def test_a_program_can_derive_classes() -> None:
    lazy = _run("import riseml.compiler.workflow\n" + _DERIVED_CLASSES)
    assert lazy == _run(_PLAIN + _DERIVED_CLASSES)
    assert lazy.splitlines()[-1] == "{}"


def test_several_threads_can_ask_a_package_for_its_names() -> None:
    program = """
import json, riseml.compiler.workflow, sys, threading

def use():
    start.wait()
    from hera.workflows import Steps
    used.append(Steps.__name__)

sys.setswitchinterval(1e-5)
used, start = [], threading.Barrier(8)
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(used))
"""
    assert _report(program) == ["Steps"] * 8


def test_other_threads_can_import_what_hera_does_without() -> None:
    program = """
import importlib, json, threading

def import_module(name, package=None):
    if name == "hera.workflows.models":
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    return original(name, package)

def use():
    import asyncio.events, pydantic.v1.fields, requests.adapters
    __import__("wave", globals=globals())
    used.append(requests.Session().headers["Accept"])
    used.append(asyncio.Queue.__name__)
    used.append(pydantic.v1.BaseModel.__module__)

used = []
original, importlib.import_module = importlib.import_module, import_module
statement = __import__
import riseml.compiler.workflow
assert __import__ is statement
print(json.dumps(used))
"""
    assert _report(program) == ["*/*", "Queue", "pydantic.v1.main"]


def test_heras_exceptions_can_be_caught_and_recognize_answers() -> None:
    program = """
import json, riseml.compiler.workflow, requests
from hera.exceptions import NotFound, exception_from_server_response

answer = requests.Response()
answer.status_code, answer._content = 404, b'{"message": "gone"}'
try:
    raise exception_from_server_response(answer)
except NotFound as error:
    print(json.dumps(str(error)))
"""
    assert _report(program) == "Server returned status code 404 with message: `gone`"


def test_a_document_with_a_status_is_read_completely() -> None:
    program = """
import json, riseml.compiler.workflow
from hera.workflows.models import NodeStatus, Workflow

document = {
    "metadata": {"name": "a"},
    "spec": {},
    "status": {"phase": "Running", "nodes": {"a-1": {
        "id": "a-1", "name": "a", "type": "Pod", "startedAt": "2026-01-01T00:00:00Z",
    }}},
}
workflow = Workflow.model_validate(document)
assert isinstance(workflow.status.nodes["a-1"], NodeStatus)
print(json.dumps(workflow.model_dump(mode="json", by_alias=True, exclude_none=True)))
"""
    assert _report(program) == _report(
        program.replace("riseml.compiler.workflow", "hera")
    )
