"""Documents from the cache equal compiled ones, and every input leads to another entry."""

import json
import sys
from dataclasses import fields
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from riseml import code_stamp, compiler, config, planner
from riseml.compiler import cache
from riseml.compiler.cache import DocumentCache
from riseml.dataclass import replace
from riseml.metric import Metric
from riseml.plan import (
    Build,
    BuildStep,
    EarlyStop,
    Experiment,
    ExperimentSet,
    GitState,
    Job,
    Marks,
    Origin,
    Resources,
    Retries,
    Rounds,
    Search,
    Shard,
    Target,
    Volume,
)

EXAMPLES = sorted(Path("examples").glob("*/riseml.yml"))
# YAML quotes a revision that begins with a digit, or looks like a number.
REVISIONS = ("f" * 40, "0123456789" * 4, "1" * 40, "1e" + "0" * 38, "e" + "1" * 39)
NUMBERS = (1, 10, 12_345)
ORIGINS = (
    Origin("me"),
    Origin("Ana.B", git=GitState("a" * 40, "main", dirty=True), runner="process"),
    Origin("me", build=Build("key", (BuildStep("pip install x"),)), runner="podman"),
    Origin("me", shard=Shard(2, 0), marks=Marks("best", ("a", "b"), "a note")),
    Origin("me", excluded={".gitignore": ("data/", "1.txt")}),
)
TARGETS = (Target(), Target(namespace="mine", authorities="ca", limit_cpus=True))


@pytest.fixture(autouse=True)
def _stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests have loaded Hera, and whoever works here has changed files just now.
    monkeypatch.setattr(code_stamp, "current", lambda: "the code")
    monkeypatch.setattr(cache, "_is_hera_loaded", lambda: False)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Origin]:
    """Return the origins of documents that are compiled."""
    origins: list[Origin] = []

    def compile_workflow(
        plan: ExperimentSet, origin: Origin, target: Target
    ) -> dict[str, Any]:
        origins.append(origin)
        return compiler.compile_workflow(plan, origin, target)

    monkeypatch.setattr(cache, "compile_workflow", compile_workflow)
    return origins


def planned(file: Path) -> ExperimentSet:
    return planner.plan(config.load(file))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_the_documents_of_all_examples_are_the_same(
    file: Path, tmp_path: Path, compiled: list[Origin]
) -> None:
    plan = planned(file)
    cases = zip(ORIGINS, cycle(TARGETS), REVISIONS, strict=False)
    for origin, target, revision in cases:
        for number in NUMBERS:
            run = replace(origin, number=number, revision=revision)
            _learn(tmp_path, plan, run, target)
            compiled.clear()
            document = DocumentCache(tmp_path).compile(plan, run, target)
            assert compiled == []
            fresh = compiler.compile_workflow(plan, run, target)
            # With the order of all fields
            assert json.dumps(document) == json.dumps(fresh)


def _learn(home: Path, plan: ExperimentSet, run: Origin, target: Target) -> None:
    """Keep the document of another run, whose number is as long."""
    documents = DocumentCache(home)
    other = int("8" * len(str(run.number)))
    documents.compile(plan, replace(run, number=other), target)
    documents.keep()


def test_a_document_is_kept_for_other_numbers_and_revisions(
    tmp_path: Path, compiled: list[Origin]
) -> None:
    plan = planned(EXAMPLES[0])
    documents = DocumentCache(tmp_path)
    documents.compile(plan, Origin("me", 14, "a" * 40), Target())
    # Not before nobody waits any more
    assert len(compiled) == 1
    documents.keep()
    assert len(compiled) == 2
    documents.keep()
    for origin in (Origin("me", 15, "a" * 40), Origin("me", 99, "bc" * 20)):
        document = DocumentCache(tmp_path).compile(plan, origin, Target())
        document["metadata"]["labels"].clear()
        again = DocumentCache(tmp_path).compile(plan, origin, Target())
        assert again == compiler.compile_workflow(plan, origin, Target())
    assert len(compiled) == 2
    # A number of another length may shorten names.
    DocumentCache(tmp_path).compile(plan, Origin("me", 100, "a" * 40), Target())
    assert len(compiled) == 3


@pytest.mark.parametrize("length", [30, 40, *range(45, 64, 3)])
def test_names_that_a_number_shortens_are_right(tmp_path: Path, length: int) -> None:
    file = tmp_path / "riseml.yml"
    name = "1net" + "x" * (length - 4)
    file.write_text(f"project: {name}\ntrain: {{image: busybox, run: echo 14 114}}\n")
    plan = planned(file)
    for number in (1, 14, 999, 123_456_789):
        documents = DocumentCache(tmp_path)
        origin = Origin("me", number, "ab" * 20)
        fresh = compiler.compile_workflow(plan, origin, Target())
        assert documents.compile(plan, origin, Target()) == fresh
        documents.keep()
        assert DocumentCache(tmp_path).compile(plan, origin, Target()) == fresh
        last = replace(origin, number=10 ** len(str(number)) - 1)
        expected = compiler.compile_workflow(plan, last, Target())
        assert DocumentCache(tmp_path).compile(plan, last, Target()) == expected


def test_a_document_that_depends_on_the_number_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_workflow(
        _plan: ExperimentSet, origin: Origin, _target: Target
    ) -> dict[str, Any]:
        return {"number": origin.number, "odd": (origin.number or 0) * 7}

    monkeypatch.setattr(cache, "compile_workflow", compile_workflow)
    plan = planned(EXAMPLES[0])
    documents = DocumentCache(tmp_path)
    documents.compile(plan, Origin("me", 14, "a" * 40), Target())
    documents.keep()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "origin",
    [
        Origin("me", None, "a" * 40),
        Origin("me", 14, ""),
        Origin("me", 14, "main", git_url="https://example.org/code.git"),
    ],
)
def test_other_documents_are_compiled_each_time(
    tmp_path: Path, compiled: list[Origin], origin: Origin
) -> None:
    plan = planned(EXAMPLES[0])
    for _ in range(2):
        documents = DocumentCache(tmp_path)
        document = documents.compile(plan, origin, Target())
        assert document == compiler.compile_workflow(plan, origin, Target())
        documents.keep()
    assert compiled == [origin, origin]


def test_code_that_changes_meanwhile_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(EXAMPLES[0])
    documents = DocumentCache(tmp_path)
    documents.compile(plan, Origin("me", 14, "a" * 40), Target())
    monkeypatch.setattr(code_stamp, "current", lambda: None)
    documents.keep()
    assert not (tmp_path / "cache").exists()


def test_a_controller_that_is_older_than_its_code_compiles_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[Origin]
) -> None:
    plan, origin = planned(EXAMPLES[0]), Origin("me", 14, "a" * 40)
    _learn(tmp_path, plan, origin, Target())
    documents = DocumentCache(tmp_path)
    monkeypatch.setattr(code_stamp, "current", lambda: None)
    compiled.clear()
    documents.compile(plan, origin, Target())
    assert compiled == [origin]


def test_code_without_a_stamp_compiles_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[Origin]
) -> None:
    plan = planned(EXAMPLES[0])
    _learn(tmp_path, plan, Origin("me", 14, "a" * 40), Target())
    monkeypatch.setattr(code_stamp, "current", lambda: None)
    compiled.clear()
    _learn(tmp_path, plan, Origin("me", 14, "a" * 40), Target())
    assert len(compiled) == 1


def test_a_program_with_its_own_hera_compiles_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[Origin]
) -> None:
    plan = planned(EXAMPLES[0])
    _learn(tmp_path, plan, Origin("me", 14, "a" * 40), Target())
    compiled.clear()
    monkeypatch.setattr(cache, "_is_hera_loaded", lambda: True)
    DocumentCache(tmp_path).compile(plan, Origin("me", 14, "a" * 40), Target())
    assert len(compiled) == 1


# Another value of each field of what documents are compiled from
OTHER: dict[type, dict[str, Any]] = {
    ExperimentSet: {
        "jobs": (Job("other", ("true",), Resources()),),
        "experiments": (Experiment(1, {"lr": "1"}),),
        "retries": Retries(3),
        "metrics": (Metric("loss"),),
        "early_stop": EarlyStop((1,), 3),
        "search": Search("random", 1),
        "rounds": Rounds(2, {}, "", "busybox"),
        "framework": "jax",
        "timeout": 5,
        "idle_timeout": 5,
        "hold": 5,
    },
    Origin: {
        "git_url": "https://example.org",
        "build": Build("key"),
        "search_build": Build("key"),
        "shard": Shard(1, 1),
        "excluded": {".gitignore": ("x",)},
        "git": GitState("a" * 40),
        "marks": Marks("best"),
    },
    Target: {
        "namespace": "other",
        "volumes": (Volume("v", "/v", "claim"),),
        "tolerations": ({"key": "x"},),
        "pull_secrets": ("x",),
        "gpu_products": ("x",),
    },
    Job: {"run": ("false",), "resources": Resources(mem=1)},
    Resources: {"cpus": Decimal("0.10"), "gpus": Decimal("0.5")},
    Experiment: {"parameters": {"lr": "2"}, "resume": "folder"},
}


def _other(kind: type, name: str, value: Any) -> Any:
    if name in OTHER[kind]:
        return OTHER[kind][name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    if isinstance(value, tuple):
        return (*value, "x")
    assert isinstance(value, dict), name
    return {**value, "x": "y"}


def _variants(item: Any) -> dict[str, Any]:
    changed = {}
    for field in fields(item):
        value = _other(type(item), field.name, getattr(item, field.name))
        changed[f"{type(item).__name__}.{field.name}"] = replace(
            item, **{field.name: value}
        )
    return changed


def test_every_field_is_an_input() -> None:
    job = Job("train", ("true",), Resources(cpus=Decimal("0.1")))
    experiment = Experiment(1, {})
    plan = planned(EXAMPLES[0])
    plan = replace(plan, jobs=(job,), experiments=(experiment,))
    plans = _variants(plan)
    for name, other in _variants(job).items():
        plans[name] = replace(plan, jobs=(other,))
    for name, other in _variants(job.resources).items():
        plans[name] = replace(plan, jobs=(replace(job, resources=other),))
    for name, other in _variants(experiment).items():
        plans[name] = replace(plan, experiments=(other,))
    origin, target = Origin("me", 14, "a" * 40), Target()
    documents = DocumentCache("home")
    seen = {documents._inputs(plan, origin, target): "nothing"}
    cases = [(name, other, origin, target) for name, other in plans.items()]
    cases += [(name, plan, other, target) for name, other in _variants(origin).items()]
    cases += [(name, plan, origin, other) for name, other in _variants(target).items()]
    gaps = {"Origin.number", "Origin.revision"}
    for name, *inputs in cases:
        text = documents._inputs(*inputs)
        assert (text in seen) == (name in gaps), f"{name}, {seen.get(text)}"
        seen[text] = name
    assert len(cases) > 70


def test_the_code_is_an_input(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, origin, target = planned(EXAMPLES[0]), Origin("me", 14, "a" * 40), Target()
    before = DocumentCache("home")._inputs(plan, origin, target)
    monkeypatch.setattr(code_stamp, "current", lambda: "other code")
    assert DocumentCache("home")._inputs(plan, origin, target) != before


def test_hera_is_found_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert cache._is_hera_loaded() == ("hera" in sys.modules)
