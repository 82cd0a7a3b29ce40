"""The commands of runs as `riseml status ID` shows them: with the values of the experiment."""

from dataclasses import replace

import pytest

from riseml import status
from riseml.cli import commands
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid
from tests.unit import recordings

RUN = ("python fit.py --lr {{lr}} --opt {{opt}} --rank {{rank}}", "echo {{lr}}")
SET = replace(grid(15, [State.RUNNING, State.CREATED]), run=RUN)


def test_an_experiment_has_its_values(engine: FakeEngine, riseml: Riseml) -> None:
    engine.runs = [SET]
    expected = (
        "Run Commands:  python fit.py --lr 1e-2 --opt adam --rank {{rank}}  echo 1e-2\n"
    )
    assert expected in riseml("status", "15.2").out
    assert expected in riseml("status", "15.2.train").out


def test_a_set_has_the_placeholders_and_their_values(
    engine: FakeEngine, riseml: Riseml
) -> None:
    engine.runs = [SET]
    screen = riseml("status", "15").out
    assert f"Run Commands:  {RUN[0]}  {RUN[1]}\n" in screen
    assert "Values: lr 1e-1, 1e-2; opt adam\n" in screen


def test_many_values_are_counted() -> None:
    many = grid(15, [State.CREATED] * 300)
    values = commands.values(many)
    assert values.startswith("lr 1e-1, 1e-2, ")
    assert values.endswith("1e-12, and 288 more; opt adam")


def test_a_killed_run_says_what_stopped_it(engine: FakeEngine, riseml: Riseml) -> None:
    killed = grid(15, [State.KILLED, State.FINISHED])
    experiment = replace(killed.experiments[0], reason="KILLED")
    engine.runs = [replace(killed, experiments=(experiment, *killed.experiments[1:]))]
    assert "Message: stopped by `riseml kill`\n" in riseml("status", "15.1").out
    assert riseml("wait", "15.1").out.endswith(
        "Experiment 15.1 KILLED after 1h 0m 0s (stopped by `riseml kill`).\n"
    )
    explanation = "15.1 ✗ KILLED: stopped by `riseml kill`\n"
    assert riseml("why", "15.1").out == explanation


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Stopped with strategy 'Terminate'", "stopped by `riseml kill`"),
        (
            "Waiting for default/Mutex/riseml-build-1a lock. Lock status: 0/1",
            "another run is doing the same install steps",
        ),
    ],
)
def test_messages_of_argo_are_put_in_words_of_riseml(
    engine: FakeEngine, riseml: Riseml, message: str, words: str
) -> None:
    engine.runs = [replace(grid(15, [State.BUILDING] * 2), message=message)]
    assert f"Message: {words}\n" in riseml("status", "15").out


def test_a_recorded_kill_is_not_in_argos_words(
    engine: FakeEngine, riseml: Riseml
) -> None:
    run = status.read(recordings.document("kill-run"))
    assert run.message == "Stopped with strategy 'Terminate'"
    engine.runs = [run]
    assert "Message: stopped by `riseml kill`\n" in riseml("status", run.id).out
