"""State of a run for a command that waits for its end."""

import pytest

from riseml.engines.local import end_state
from riseml.errors import DamagedError
from riseml.ids import Id
from riseml.status import State
from tests.unit.engines.local.controlled_home import ControlledHome, states
from tests.unit.plans import grid


def test_a_set_is_read_in_full_once_it_has_ended(home: ControlledHome) -> None:
    home.start(grid({"lr": "1"}, {"lr": "2"}, concurrency=1))
    run = end_state.read(home.reader, Id(number=1))
    assert (run.state, run.experiments) == (State.RUNNING, ())
    second = end_state.read(home.reader, Id(number=1, sub=2))
    assert states(second) == ["CREATED"]
    home.end(*home.running(), status=3)
    first = end_state.read(home.reader, Id(number=1, sub=1))
    assert states(first) == ["FAILED", "RUNNING"]
    home.end(*home.running())
    ended = end_state.read(home.reader, Id(number=1))
    assert (ended.state, states(ended)) == (State.FAILED, ["FAILED", "FINISHED"])


def test_a_damaged_experiment_is_named(home: ControlledHome) -> None:
    home.start(grid({"lr": "1"}, {"lr": "2"}, concurrency=1))
    with home.store.transaction():
        home.store.put_experiments(1, [(2, '{"state": "NONE"}')])
    with pytest.raises(DamagedError, match="run 1 is damaged: experiment 2 "):
        end_state.read(home.reader, Id(number=1, sub=2))
