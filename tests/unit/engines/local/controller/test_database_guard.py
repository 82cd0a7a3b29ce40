"""A database that is deleted or replaced while runs are active: its controller writes it again."""

import os
import shutil
import signal

import pytest

from riseml.engines import Growth, Query
from riseml.engines.local.controller.database_guard import DatabaseGuard
from riseml.engines.local.reader import HomeReader
from riseml.errors import HomeError
from riseml.ids import Id
from riseml.plan import Experiment
from riseml.status import State
from tests.unit.engines.local.controlled_home import ControlledHome, states
from tests.unit.plans import grid, single

SET = grid({"lr": "1"}, {"lr": "2"})


@pytest.fixture
def busy(home: ControlledHome) -> ControlledHome:
    """Return a home with an ended run, and with set 2, whose first one is repeated."""
    home.start(single())
    home.end("1.train")
    home.start(SET)
    home.end("1.train", status=1)
    again = (Experiment(1, {"lr": "1"}, attempts=1),)
    home.start(grid({"lr": "1"}, experiments=again), Growth(2, 2))
    return home


def check(home: ControlledHome) -> None:
    """Check that nothing is lost, and that the runs go on."""
    home.reader = HomeReader(home.home, "me")
    assert [run.number for run in home.reader.list(Query(all=True))] == [2, 1]
    assert home.read(1).state is State.FINISHED
    assert states(home.read(2)) == ["RUNNING", "RUNNING"]
    home.end("1.train", "2.train")
    run = home.reader.read(Id(number=2))
    assert (run.state, states(run)) == (State.FINISHED, ["FINISHED", "FINISHED"])
    assert home.start(single())["number"] == 3


def test_a_deleted_database_is_written_again(busy: ControlledHome) -> None:
    for file in busy.home.glob("riseml.db*"):
        file.unlink()
    busy.settle()
    check(busy)


@pytest.mark.parametrize("is_served", [False, True])
def test_a_controller_exits_if_its_home_was_removed(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch, *, is_served: bool
) -> None:
    signals: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: signals.append(number))
    (home.home / "controller.lock").touch()
    guard = DatabaseGuard(home.services, {})
    (home.home / "riseml.db").unlink()
    if is_served:
        # The lock of another controller, made while that of this one is still open.
        (home.home / "other").touch()
        (home.home / "other").rename(home.home / "controller.lock")
    else:
        # A job of the old home, or a command that has not started a controller yet.
        (home.home / "controller.lock").unlink()
    for act in (guard.check, guard.rebuild):
        with pytest.raises(HomeError, match="was removed, so its"):
            act()
    assert signals == [signal.SIGTERM] * 2
    assert not (home.home / "riseml.db").exists()


def test_a_file_in_the_place_of_the_database_is_kept(busy: ControlledHome) -> None:
    (busy.home / "other").write_bytes(b"no database" * 1000)
    (busy.home / "other").rename(busy.home / "riseml.db")
    busy.settle()
    kept = [
        file
        for file in busy.home.glob("riseml.db.damaged-*")
        if file.read_bytes().startswith(b"no database")
    ]
    assert len(kept) == 1
    check(busy)


def test_a_damaged_database_is_made_from_active_runs_and_records(
    busy: ControlledHome,
) -> None:
    busy.store.rows("DROP TABLE counters")
    sentences = busy.runs.repair()
    assert "Runs that have not ended continue: 2." in sentences
    assert "Restored 1 run from their run.json: 1." in sentences
    check(busy)


def test_a_commit_that_finds_damage_replaces_the_database(
    busy: ControlledHome,
) -> None:
    busy.store.rows("DROP TABLE experiments")
    busy.running()["2.train"].end(0)
    busy.loop.run_once(0.0)
    # The new database has it with the next commit.
    assert not busy.runs.settle()
    busy.settle()
    busy.reader = HomeReader(busy.home, "me")
    assert states(busy.read(2)) == ["RUNNING", "FINISHED"]


def test_a_lost_home_is_left_alone(busy: ControlledHome) -> None:
    shutil.move(busy.home, f"{busy.home}.moved")
    assert busy.runs._guard.check() == []
    shutil.move(f"{busy.home}.moved", busy.home)
    check(busy)
