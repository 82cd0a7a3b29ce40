"""A riseml.yml is loaded and planned once, by the command; the controller gets the plan."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from riseml.client.client import Client
from riseml.engines.local import protocol
from tests.code_path import recorded_steps
from tests.local.conftest import Lab, processes_of

_TRAIN = """
import sys
import riseml.__main__ as program
from riseml.cli import _load_pathlib
_load_pathlib()
from riseml.engines.local import protocol
ask = protocol.call_until_answered
def noted(*arguments, **fields):
    print(*sys.modules)
    return ask(*arguments, **fields)
protocol.call_until_answered = noted
sys.exit(program.cli.main(["train", "-o", "json"]))
"""
CONFIG = """\
project: lab
train:
  image: busybox
  resources: {cpus: 0.01, mem: 64}
  parameters: {lr: [0.1, 0.2]}
  run: 'true'
"""


@pytest.fixture
def client(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Client:
    (lab.folder / "riseml.yml").write_text(CONFIG)
    # Each process that inherits this writes the modules that it imports to its log.
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    return Client(lab.engine.home)


def test_the_command_loads_and_plans_once(
    lab: Lab, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = recorded_steps(monkeypatch)
    run = client.train(lab.folder / "riseml.yml")
    assert run.experiments == 2
    assert steps == ["load", "plan"]


def test_the_controller_never_loads_the_loader(lab: Lab, client: Client) -> None:
    run = client.train(lab.folder / "riseml.yml")
    client.wait(run.id)
    imported = imported_by_the_controller(lab.engine.home)
    assert "riseml.compiler" in imported
    loaders = {"riseml.planner", "riseml.config", "riseml.frameworks", "riseml.search"}
    assert not loaders & imported
    assert client.read(run.id).config == CONFIG


def test_an_unchanged_project_is_neither_checked_nor_compiled(lab: Lab) -> None:
    (lab.folder / "riseml.yml").write_text(CONFIG)
    first = _modules_of_train(lab)
    assert {"yaml", "riseml.config", "riseml.planner"} <= first
    documents = lab.engine.home / "cache/documents"
    lab.until(lambda: any(documents.glob("*")), "a kept document")
    protocol.stop_controller(lab.engine.home)
    second = _modules_of_train(lab)
    unneeded = {
        "dataclasses",
        "hashlib",
        "hera",
        "ipaddress",
        "riseml.compiler",
        "riseml.config",
        "riseml.engines.local.reader",
        "riseml.frameworks",
        "riseml.planner",
        "riseml.search",
        "riseml.schema.yaml_document",
        "sqlite3",
        "typer",
        "urllib.parse",
        "yaml",
    }
    assert not second & unneeded
    assert len(second) < len(first) - 30
    assert len([name for name in second if name.startswith("riseml")]) <= 118
    # The second controller, which started for this run, has not needed Hera.
    client = Client(lab.engine.home)
    assert [len(client.read(run).experiments) for run in ("1", "2")] == [2, 2]
    (process,) = controllers_of(lab.engine.home)
    assert not [m for m in process.memory_maps() if "pydantic" in m.path]


def _modules_of_train(lab: Lab) -> set[str]:
    """Return the modules that `riseml train` has loaded before the controller answers."""
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN],
        cwd=lab.folder,
        env={**os.environ, "RISEML_HOME": str(lab.engine.home)},
        check=True,
        text=True,
        capture_output=True,
    )
    return set(done.stdout.split())


def controllers_of(home: Path) -> list[psutil.Process]:
    """Return the controllers of a home, whose launchers have the same command line."""
    lines = [
        process
        for process in processes_of(home)
        if "riseml.engines.local.controller" in process.cmdline()
    ]
    return [one for one in lines if one.parent() not in lines]


def imported_by_the_controller(home: Path) -> set[str]:
    """Return the modules that the controller's log says it has imported."""
    lines = (home / "controller.log").read_text().splitlines()
    timings = [line for line in lines if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in timings}
