"""No field gets lost on its way from the compiler through Hera into what RiseML writes and submits.

Hera 7.1 has models of Argo 3.7. Its own classes drop what Argo 4.1 has since, and may rewrite values.
"""

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
import yaml
from hera.workflows.models import Workflow

from riseml import compiler, config, manifest, planner
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.engines.argo import server_submission
from riseml.plan import Build, BuildStep, ExperimentSet, Origin, Target

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/riseml.yml"))
Document = dict[str, Any]
Pair = tuple[str, str]

# Hera's classes for users have names of their own for some of Argo's fields.
_NAMES = {"SecretEnv": {"secret_name": "name", "secret_key": "key"}}
# RiseML gives these only so that Hera does not read its global configuration.
_OF_HERA = frozenset({"workflows_service"})
EVERYTHING = """\
project: everything
train:
  {block}
  resources: {{cpus: 0.1, mem: 100, gpus: 1, gpu_type: a100}}
  install: pip install x
  hold_on_failure: 5m
  idle_timeout: 1h
  gang_timeout: 5m
  secrets: [TOKEN]
  env: {{A: b}}
  retries: 2
  timeout: 2h
  parameters: {{lr: {{uniform: [1, 2]}}}}
  search: {{method: asha, metric: loss, mode: min, max_resource: 9, trials: 4}}
  run: python train.py --lr {{{{lr}}}}
"""
FRAMEWORKS = {
    "plain": "image: x",
    "mpi": "framework: mpi\n  image: x\n  mpi: {workers: 2}",
    "tensorflow": (
        "framework: tensorflow\n"
        "  tensorflow: {tensorboard: true, distributed: {worker: 3, ps: 1}}"
    ),
}
TARGET = Target(
    namespace="riseml-me",
    node_selector={"pool": "gpus"},
    tolerations=({"key": "gpu", "operator": "Exists"},),
    pull_secrets=("login",),
    gpu_types={"a100": ("NVIDIA-A100",)},
    gpu_products=("NVIDIA-A100",),
    build_node_selector={"pool": "builds"},
    pull_registry="10.0.0.1:5000",
    instance="team",
)
BUILD = Build("0" * 24, (BuildStep("pip install x", (), "1" * 24),))


def _plans() -> Iterator[tuple[str, ExperimentSet]]:
    for path in EXAMPLES:
        yield path.parent.name, planner.plan(config.load(path))
    for name, block in FRAMEWORKS.items():
        text = EVERYTHING.format(block=block)
        yield f"everything-{name}", planner.plan(config.load_text(text))


PLANS = dict(_plans())
plans = pytest.mark.parametrize("name", PLANS)


def _compiled(name: str) -> Document:
    plan = PLANS[name]
    build = BUILD if plan.install else None
    return compiler.compile_workflow(
        plan, Origin("me", 1, "0" * 40, build=build), TARGET
    )


class Recorder:
    """A class of Hera that notes the fields with which it is called."""

    def __init__(self, model: Any, fields: list[tuple[str, Any]]) -> None:
        self._model, self._fields = model, fields

    def __call__(self, **fields: Any) -> Any:
        names = _NAMES.get(self._model.__name__, {})
        for name, value in fields.items():
            if name not in _OF_HERA:
                self._fields.append((names.get(name, name), value))
        return self._model(**fields)

    def model_validate(self, fields: Mapping[str, Any]) -> Any:
        self._fields += fields.items()
        return self._model.model_validate(fields)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return the fields that all modules of the compiler give to classes of Hera."""
    fields: list[tuple[str, Any]] = []
    modules = [compiler]
    for info in pkgutil.iter_modules(compiler.__path__):
        modules.append(importlib.import_module(f"riseml.compiler.{info.name}"))
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__.startswith("hera."):
                monkeypatch.setattr(module, name, Recorder(value, fields))
    return fields


def _pairs(name: str, value: Any) -> Iterator[Pair]:
    """Yield the names and texts of all scalars in a value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _pairs(str(key), item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _pairs(name, item)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif isinstance(value, str | int | float):
        yield name, str(value)
    # Objects of Hera noted their own fields when they were made.


def _argo_name(name: str) -> str:
    first, *words = name.split("_")
    return first + "".join(map(str.capitalize, words))


@plans
def test_every_field_that_the_compiler_writes_is_in_the_document(
    name: str, written: list[tuple[str, Any]]
) -> None:
    document = _compiled(name)
    present = set(_pairs("", document))
    lost = []
    for field, value in written:
        expected = set(_pairs(_argo_name(field), value))
        lost += [pair for pair in expected - present if pair[1]]
    assert lost == []
    # So many fields make a Workflow; fewer would mean that nothing was noted.
    assert len(written) > 100


def test_a_field_that_hera_drops_is_noticed(written: list[tuple[str, Any]]) -> None:
    document = _compiled("tensorflow")
    written.append(("pending_timeout", "10m"))
    assert ("pendingTimeout", "10m") in set(_pairs("", document))
    dropped = Workflow.model_validate(document)
    pairs = set(_pairs("", dropped.model_dump(by_alias=True, exclude_none=True)))
    assert ("pendingTimeout", "10m") not in pairs


@plans
def test_a_written_document_has_every_field(name: str) -> None:
    document = _compiled(name)
    assert yaml.safe_load(manifest.to_yaml(document)) == document
    assert json.loads(manifest.to_json(document)) == document


@plans
def test_the_argo_server_gets_every_field(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = _compiled(name)
    bodies = []

    def send(*_: object, **options: Any) -> requests.Response:
        bodies.append(json.loads(options["data"]))
        response = requests.Response()
        response.status_code = 200
        response._content = json.dumps(document).encode()
        return response

    monkeypatch.setattr(requests.Session, "request", send)
    connection = Connection(
        "https://cluster", "riseml-me", token="t", argo="https://argo"
    )
    api = cast(Api, SimpleNamespace(connection=connection))
    server_submission.create(api, document)
    assert bodies == [{"workflow": document}]
