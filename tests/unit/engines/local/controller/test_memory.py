"""Memory of a controller after the end of a set."""

import gc
import weakref

import pytest

from riseml.engines.local.controller import memory
from riseml.engines.local.controller.active_run import ActiveRun
from tests.unit.engines.local.controlled_home import ControlledHome
from tests.unit.plans import grid, single

SET = grid(*({"lr": str(number)} for number in range(5)), concurrency=2)


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that gets an item whenever memory is released."""
    releases: list[object] = []
    release = memory.release

    def counted() -> None:
        releases.append(None)
        release()

    monkeypatch.setattr(memory, "release", counted)
    monkeypatch.setattr(memory, "LARGE_SET", 5)
    return releases


def finish(home: ControlledHome) -> None:
    while home.active:
        home.end(*home.running())
    home.settle()


def test_nothing_of_a_large_set_is_kept_after_its_end(
    home: ControlledHome, released: list[object]
) -> None:
    home.start(SET)
    (run,) = home.active.values()
    reference: weakref.ref[ActiveRun] = weakref.ref(run)
    del run
    gc.disable()
    try:
        finish(home)
    finally:
        gc.enable()
    assert (len(released), reference()) == (1, None)


def test_memory_is_not_released_after_small_runs(
    home: ControlledHome, released: list[object]
) -> None:
    home.start(single())
    finish(home)
    assert released == []
