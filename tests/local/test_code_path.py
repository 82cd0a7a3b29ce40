"""A riseml.yml is loaded and planned once, by the command; the controller gets the plan."""

from pathlib import Path

import pytest

from riseml.client.client import Client
from tests.code_path import recorded_steps
from tests.local.conftest import Lab

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


def imported_by_the_controller(home: Path) -> set[str]:
    """Return the modules that the controller's log says it has imported."""
    lines = (home / "controller.log").read_text().splitlines()
    timings = [line for line in lines if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in timings}
