"""Fixture of a home whose controller works within the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.engines.local.controlled_home import ControlledHome


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlledHome]:
    """Yield a new home."""
    controlled = ControlledHome(tmp_path, monkeypatch)
    yield controlled
    controlled.close()
    for job in controlled.jobs.started:
        job.close()
