"""Record of the code path: which steps of planning a command takes, and in which order."""

from typing import Any

import pytest

from riseml import config, planner
from riseml.config import Loaded
from riseml.plan import ExperimentSet


def recorded_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of steps; "load" and "plan" are added as they are taken."""
    steps: list[str] = []
    load_text, plan = config.load_text, planner.plan

    def recorded_load(text: str, file: str = "riseml.yml", **changes: Any) -> Loaded:
        steps.append("load")
        return load_text(text, file, **changes)

    def recorded_plan(
        loaded: config.ExperimentConfig, seed: int | None = None
    ) -> ExperimentSet:
        steps.append("plan")
        return plan(loaded, seed)

    monkeypatch.setattr(config, "load_text", recorded_load)
    monkeypatch.setattr(planner, "plan", recorded_plan)
    return steps
