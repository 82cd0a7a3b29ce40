"""Bench of the local engine with jobs in containers of podman or docker."""

import os
import time
from collections.abc import Iterator, Mapping

import pytest

from riseml.engines import Query
from riseml.engines.local import protocol
from riseml.engines.local.engine import LocalEngine
from riseml.ids import Id
from tests.containers import programs
from tests.contract.bench import Bench
from tests.local.conftest import Lab

_REMOVAL_SECONDS = 30.0


def container_bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Yield a bench for the program that the parameter names; no container may be left."""
    name = request.param
    settings = programs.SETTINGS[name]()
    lab: Lab = request.getfixturevalue("lab")
    # Commands of the tests read them as well.
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    environment = dict(os.environ)
    engine = LocalEngine(lab.engine.home, "me", name)
    yield Bench(engine, lab.folder, programs.IMAGE, 120.0, environment=environment)
    for run in engine.list(Query()):
        # Not every test waits for the end of its job.
        engine.stop(Id(number=run.number), force=True)
    label = f"riseml.home={engine.home}"
    if _are_left(name, settings, label):
        # What a killed attendant leaves is removed by the next controller, beside its loop.
        protocol.stop_controller(engine.home)
        engine.prune_unused(0.0)
        assert not _are_left(name, settings, label)


def _are_left(name: str, settings: Mapping[str, str], label: str) -> bool:
    """Return whether containers or networks with a label do not go away in time."""
    limit = time.monotonic() + _REMOVAL_SECONDS
    while programs.list_left(name, settings, label):
        if time.monotonic() > limit:
            return True
        time.sleep(0.2)
    return False
