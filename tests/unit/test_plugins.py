"""A framework is one file, ours or another package's."""

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from riseml import frameworks, plugins
from riseml.config import json_schema, load_text
from riseml.errors import ConfigError, InvalidInputError, RiseMLError
from riseml.planner import plan

CAFFE = """
from dataclasses import dataclass, replace
from riseml.schema.fields import Integer, Record

@dataclass(frozen=True)
class Options:
    solvers: int = 1

SECTION = Record(Options, {"solvers": Integer(1)})

def variables(options): return frozenset({"CAFFE_SOLVER"})
def image(options, resources): return "bvlc/caffe:cpu"
def warnings(options, image): return ("caffe is old",)
def distribute(job, options, image): return (replace(job, type="solver", count=options.solvers),)
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package with one module that an entry point `caffe` of the frameworks names."""

    def put(module: str, code: str) -> None:
        (tmp_path / f"{module}.py").write_text(code)
        entry = EntryPoint("caffe", module, "riseml.frameworks")
        monkeypatch.setattr(
            plugins, "_installed", lambda kind: (entry,) if kind == "frameworks" else ()
        )

    monkeypatch.syspath_prepend(str(tmp_path))
    return put


def test_a_framework_of_another_package(install: Install) -> None:
    install("their_caffe", CAFFE)
    text = "project: ab\ntrain: {framework: caffe, caffe: {solvers: 3}, resources: {}, run: x}\n"
    loaded = load_text(text)
    assert [fault.message for fault in loaded.warnings] == ["caffe is old"]
    found = plan(loaded)
    assert found.image == "bvlc/caffe:cpu"
    assert [(job.type, job.count) for job in found.jobs] == [("solver", 3)]
    assert (
        json_schema()["properties"]["train"]["properties"]["caffe"]["properties"][
            "solvers"
        ]["minimum"]
        == 1
    )
    with pytest.raises(
        ConfigError,
        match=r"unknown key 'solver' in train.caffe[\s\S]*Did you mean 'solvers'",
    ):
        load_text(text.replace("solvers", "solver"))
    with pytest.raises(
        ConfigError,
        match=r"'caffe-solver' cannot be a parameter: caffe sets \$CAFFE_SOLVER",
    ):
        load_text(text.replace("run: x", "run: x, parameters: {caffe-solver: 1}"))
    with pytest.raises(ConfigError, match="must be caffe, horovod"):
        load_text(text.replace("framework: caffe", "framework: torch"))
    sys.modules.pop("their_caffe")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import nothing_of_this_name", "cannot be loaded: ModuleNotFoundError"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
        ("SECTION = None", "lacks variables, image, warnings, distribute"),
    ],
)
def test_a_broken_package_is_named(install: Install, code: str, words: str) -> None:
    install("their_broken", code)
    with pytest.raises(RiseMLError, match=words):
        load_text(
            "project: ab\ntrain: {framework: caffe, image: x, resources: {}, run: x}\n"
        )
    sys.modules.pop("their_broken", None)


def test_names() -> None:
    assert frameworks.names() == ("horovod", "jax", "mpi", "pytorch", "tensorflow")
    assert plugins.names("search") == ("grid",)
    assert "local" in plugins.names("engines")
    with pytest.raises(InvalidInputError, match="there is no search strategy 'x'"):
        plugins.load("search", "x")


@pytest.mark.parametrize(
    "name", ["__init__", "__pycache__", "plain", "", "../config", "tensorflow.py"]
)
def test_only_frameworks_are_frameworks(name: str) -> None:
    assert not frameworks.exists(name)
