"""`train` loads, plans, snapshots and submits: in this order, and each of them once."""

import os
from pathlib import Path
from typing import Any

import pytest

from riseml import config, planner
from riseml.client.client import Client
from riseml.engines import Submission
from tests.cli.fake_engine import FakeEngine
from tests.code_path import recorded_steps

CONFIG = """\
project: toaster-net
train:
  image: busybox
  resources: {cpus: 1, mem: 64}
  parameters: {lr: [0.1, 0.2]}
  run: train {{lr}}
"""


class RecordingEngine(FakeEngine):
    """An engine that records its calls among the other steps."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__()
        self._steps = steps

    def snapshot(self, *arguments: Any, **options: Any) -> Any:
        self._steps.append("snapshot")
        return super().snapshot(*arguments, **options)

    def start(self, submission: Submission) -> Any:
        self._steps.append("submit")
        return super().start(submission)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of steps, in the order in which they are taken."""
    return recorded_steps(monkeypatch)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    path = tmp_path / "riseml.yml"
    path.write_text(CONFIG)
    return path


def test_train_walks_the_code_path_once(steps: list[str], file: Path) -> None:
    client = Client(engine=RecordingEngine(steps))
    client.train(file, on_sync=lambda _: steps.append("on_sync"))
    assert steps == ["load", "plan", "snapshot", "on_sync", "submit"]


def test_the_engine_gets_the_plan_and_the_code(file: Path) -> None:
    engine = FakeEngine()
    Client(engine=engine).train(file, node="node-7")
    submission = engine.calls[-1][1]
    # A setting on which jobs depend travels with the environment.
    environment = {**os.environ, "RISEML_GPUS_SHARED_WITH_OTHERS": "false"}
    assert submission == Submission(
        planner.plan(config.load(file)), "0" * 40, environment, "node-7"
    )
    assert submission.plan.config == CONFIG
