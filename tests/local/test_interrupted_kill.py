"""Kills of runs that are interrupted by the death of the controller: the next one finishes them."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from riseml.engines.local import protocol
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab
from tests.local.mortal_controller import Step, Trap, set_trap

_CONTROLLER = "riseml.engines.local.controller"
_BEFORE_COMMIT = (
    (f"{_CONTROLLER}.active_run:ActiveRun.stop", 1),
    (f"{_CONTROLLER}.run_record:RunRecord.write", 1),
)
_AFTER_COMMIT = (
    (f"{_CONTROLLER}.active_run:ActiveRun.after_commit", 1),
    ("riseml.engines.local.jobs.processes:terminate", 1),
    ("riseml.engines.local.jobs.processes:terminate", 2),
    (f"{_CONTROLLER}.run_pods:RunPods._end", 1),
    (f"{_CONTROLLER}.run_pods:RunPods._end", 2),
    (f"{_CONTROLLER}.run_record:RunRecord.write", 2),
    (f"{_CONTROLLER}.run_record:RunRecord.write", 3),
)
# A trainer that saves on TERM.
_TRAINER = """
        parameters: {{n: [1, 2, 3]}}
        concurrency: 3
        run: |
          trap 'echo saved >> {folder}/saved-{{{{n}}}}; exit 0' TERM
          touch {folder}/on-{{{{n}}}}
          while :; do sleep 0.05; done
"""


Trainers = tuple[Trap, int]
"""A trap for the controller, and the number of a run."""


@pytest.fixture
def trainers(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> Trainers:
    """Start a set of three trainers under a trap at `step`; all of them work then."""
    trap = set_trap(monkeypatch, tmp_path, Step(step))
    number = lab.train(_TRAINER.format(folder=tmp_path)).number
    lab.until(lambda: all((tmp_path / f"on-{n}").exists() for n in (1, 2, 3)))
    return trap, number


def interrupt_kill(lab: Lab, trap: Trap, call: int, **target: Any) -> None:
    """Kill a run, while the controller is killed at the trap's step."""
    trap.arm(call)
    # Only an early death keeps the controller from its answer.
    with contextlib.suppress(protocol.AnswerLostError):
        protocol.call(lab.engine.home, "stop", **target)
    lab.until(lambda: trap.has_snapped, "the controller's death")
    lab.until(lambda: not protocol.answers(lab.engine.home))


def recorded_kill(lab: Lab, number: int) -> tuple[str, str]:
    """Return the targets of the kills in the database, and the shutdown."""
    with contextlib.closing(sqlite3.connect(lab.engine.home / "riseml.db")) as db:
        select = "SELECT killed, shutdown FROM runs WHERE number = ?"
        killed, shutdown = db.execute(select, (number,)).fetchone()
    return killed.partition("=")[0], shutdown


def saved(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("saved-*"))


@pytest.mark.parametrize(("step", "call"), _AFTER_COMMIT)
def test_the_next_controller_finishes_the_kill_of_a_run(
    lab: Lab, trainers: Trainers, call: int, tmp_path: Path
) -> None:
    """The kill is on record before the first signal, and every trainer may save."""
    trap, number = trainers
    interrupt_kill(lab, trap, call, number=number)
    assert recorded_kill(lab, number) == ("*", "Terminate")
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    assert run.state is State.KILLED
    assert [e.state for e in run.experiments] == [State.KILLED] * 3
    assert saved(tmp_path) == ["saved-1", "saved-2", "saved-3"]
    for n in (1, 2, 3):
        assert (tmp_path / f"saved-{n}").read_text() == "saved\n"


@pytest.mark.parametrize(("step", "call"), _BEFORE_COMMIT)
def test_a_kill_that_is_not_recorded_has_stopped_nothing(
    lab: Lab, trainers: Trainers, call: int, tmp_path: Path
) -> None:
    trap, number = trainers
    interrupt_kill(lab, trap, call, number=number)
    assert recorded_kill(lab, number) == ("", "")
    run = lab.engine.read(Id(number=number))
    assert [e.state for e in run.experiments] == [State.RUNNING] * 3
    assert saved(tmp_path) == []


@pytest.mark.parametrize(("step", "call"), [*_BEFORE_COMMIT, *_AFTER_COMMIT[:4]])
def test_the_command_asks_the_next_controller(
    lab: Lab, trainers: Trainers, call: int, tmp_path: Path
) -> None:
    """`riseml kill` says what is true, whenever the controller is killed."""
    trap, number = trainers
    trap.arm(call)
    assert lab.engine.stop(Id(number=number)) is True
    lab.wait(number)
    assert trap.has_snapped
    run = lab.engine.read(Id(number=number))
    assert [e.state for e in run.experiments] == [State.KILLED] * 3
    assert lab.engine.stop(Id(number=number)) is False


@pytest.mark.parametrize(("step", "call"), _AFTER_COMMIT[:2])
def test_the_next_controller_finishes_the_kill_of_one_experiment(
    lab: Lab, trainers: Trainers, call: int, tmp_path: Path
) -> None:
    trap, number = trainers
    interrupt_kill(lab, trap, call, number=number, sub=2)
    lab.wait(Id(number=number, sub=2))
    run = lab.engine.read(Id(number=number))
    states = [e.state for e in run.experiments]
    assert states == [State.RUNNING, State.KILLED, State.RUNNING]
    assert saved(tmp_path) == ["saved-2"]


def test_the_next_controller_finishes_a_forced_kill_by_force(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No grace is given that the user did not want to give."""
    trap = set_trap(
        monkeypatch, tmp_path, Step(f"{_CONTROLLER}.active_run:ActiveRun.after_commit")
    )
    number = lab.train(
        f"run: \"trap '' TERM; touch {tmp_path}/on; while :; do sleep 0.05; done\""
    ).number
    lab.until((tmp_path / "on").exists)
    interrupt_kill(lab, trap, 1, number=number, force=True)
    lab.wait(number)
    run = lab.engine.read(Id(number=number))
    assert run.state is State.KILLED
    assert run.experiments[0].exit_code == 137
