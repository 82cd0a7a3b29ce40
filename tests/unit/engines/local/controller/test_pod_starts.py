"""A start during a commit: what is on record at which time, and starts that fail."""

import time

import pytest

from riseml.engines.local.jobs.launcher import ProcessSpec
from riseml.errors import RiseMLError
from riseml.status import State
from tests.unit.engines.local.controlled_home import ControlledHome, states
from tests.unit.plans import grid

SET = grid({"lr": "1"}, {"lr": "2"}, {"lr": "3"}, concurrency=2)


def end_first(home: ControlledHome) -> None:
    """Let the first experiment end while no command waits for anything."""
    home.running()["1.train"].end(0)
    home.loop.run_once(time.monotonic())
    assert home.runs.settle(is_awaited=False)


def test_an_end_is_on_record_before_the_next_job_has_started(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.start(SET)
    recorded = []
    finish = home.jobs.finish

    def note_and_finish() -> int:
        recorded.append(states(home.read()))
        return finish()

    monkeypatch.setattr(home.jobs, "finish", note_and_finish)
    end_first(home)
    assert recorded == [["FINISHED", "RUNNING", "PENDING"]]
    assert sorted(home.running()) == ["2.train", "3.train"]
    home.settle()
    assert states(home.read()) == ["FINISHED", "RUNNING", "RUNNING"]


def test_the_controller_wakes_to_record_a_start(home: ControlledHome) -> None:
    home.start(SET)
    end_first(home)
    begun = time.monotonic()
    home.loop.run_once(begun + 60)
    assert time.monotonic() < begun + 30
    assert home.runs.settle(is_awaited=False)
    assert states(home.read()) == ["FINISHED", "RUNNING", "RUNNING"]


def test_a_job_that_cannot_start_during_a_commit_starts_later(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.start(SET)
    home.jobs.failures = 1
    end_first(home)
    assert list(home.running()) == ["2.train"]
    monkeypatch.setattr(home.runs._starts._launches, "_paused_until", 0.0)
    home.settle()
    assert sorted(home.running()) == ["2.train", "3.train"]
    assert states(home.read()) == ["FINISHED", "RUNNING", "RUNNING"]


def test_a_job_that_can_never_start_fails_during_a_commit(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise RiseMLError("no such folder")

    home.start(SET)
    monkeypatch.setattr(home.jobs, "finish", refuse)
    end_first(home)
    home.settle()
    experiment = home.read().experiments[2]
    assert experiment.state is State.FAILED
    assert "could not start: no such folder" in experiment.message


def test_a_controller_that_died_during_a_commit_adopts_the_job(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.start(SET)
    finish = home.jobs.finish

    def die() -> int:
        finish()
        raise KeyboardInterrupt

    monkeypatch.setattr(home.jobs, "finish", die)
    with pytest.raises(KeyboardInterrupt):
        end_first(home)
    home.restart()
    assert sorted(home.running()) == ["2.train", "3.train"]
    assert len(home.jobs.started) == len(SET.experiments)
    assert states(home.read()) == ["FINISHED", "RUNNING", "RUNNING"]


def test_another_job_starts_instead_of_one_that_cannot_be_prepared(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = home.jobs.begin

    def refuse_once(spec: ProcessSpec) -> None:
        monkeypatch.setattr(home.jobs, "begin", begin)
        raise RiseMLError("no such folder")

    home.start(grid({"lr": "1"}, {"lr": "2"}, {"lr": "3"}, {"lr": "4"}, concurrency=2))
    monkeypatch.setattr(home.jobs, "begin", refuse_once)
    end_first(home)
    assert states(home.read())[:3] == ["FINISHED", "RUNNING", "FAILED"]
    begun = time.monotonic()
    home.loop.run_once(begun + 60)
    assert time.monotonic() < begun + 0.5
    assert home.runs.settle(is_awaited=False)
    assert sorted(home.running()) == ["2.train", "4.train"]
