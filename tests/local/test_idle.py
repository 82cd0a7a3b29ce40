"""Jobs whose GPUs are idle, with a program nvidia-smi that says what a test wants."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riseml.cli import set_screen
from riseml.cli.terminal import Terminal
from riseml.client.client import Client
from riseml.engines import Query
from riseml.ids import Id
from riseml.status import JobStatus, State
from tests.gpu_programs import CARD, FakeCard
from tests.local.conftest import Lab

RESOURCES = "resources: {cpus: 0.01, mem: 1, gpus: 1}"
# Uses its card as the test says, from the time at which the driver lists it.
TRAINER = """\
import os, pathlib, signal, sys, time
def save(*_):
    print("saved", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
use, seconds, processes = sys.argv[1], float(sys.argv[2]), sys.argv[3]
with open(processes, "a") as file:
    file.write(f"{os.getpid()} {use}\\n")
time.sleep(seconds)
"""


@pytest.fixture
def card(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    monkeypatch.setenv("RISEML_GPUS", CARD)
    lab.write({"trainer.py": TRAINER})
    return FakeCard(tmp_path, os.environ["PATH"])


def train(lab: Lab, card: FakeCard, use: str, seconds: float, text: str) -> int:
    run = f"run: python3 trainer.py '{use}' {seconds} {card.processes}"
    return lab.train(f"{RESOURCES}\n{text}\n{run}", PATH=card.path).number


def job(lab: Lab, number: int) -> JobStatus:
    return lab.engine.read(Id(number=number)).experiments[0].jobs[0]


def test_a_job_that_does_not_use_its_gpu_is_stopped_after_its_idle_timeout(
    lab: Lab, card: FakeCard
) -> None:
    # The card is busy with another program.
    card.set(67, 30, pid_1="67 30")
    number = train(lab, card, "1 0", 600, "idle_timeout: 3s")
    assert lab.wait(number).state is State.FAILED
    ended = job(lab, number)
    assert (ended.state, ended.reason, ended.exit_code) == (State.FAILED, "IDLE", 79)
    assert ended.message == "its GPUs were idle for 3 s (`idle_timeout`)"
    log = lab.log(number)
    assert "saved\n" in log
    assert "riseml: stopped because its GPUs were idle for 3 seconds" in log


@pytest.mark.parametrize("use", ["2 0", "0 2"])
def test_a_job_that_computes_or_moves_memory_is_not_stopped(
    lab: Lab, card: FakeCard, use: str
) -> None:
    number = train(lab, card, use, 5, "idle_timeout: 2s")
    assert lab.wait(number).state is State.FINISHED
    assert not list(lab.output(number).glob(".riseml/idle.*"))


def test_an_idle_job_is_marked_while_it_runs(lab: Lab, card: FakeCard) -> None:
    number = train(lab, card, "0 0", 600, "idle_timeout: 1h")
    file = lab.output(number) / ".riseml" / "idle.train.0"
    lab.until(lambda: job(lab, number).state is State.RUNNING)
    assert (job(lab, number).reason, job(lab, number).message) == ("", "")
    # What the watcher writes after a quarter of an hour.
    file.write_text('{"idle": 1020}\n')
    (experiment,) = lab.engine.read(Id(number=number)).experiments
    for part in (experiment, experiment.jobs[0]):
        assert (part.state, part.reason) == (State.RUNNING, "IDLE")
        assert part.message == "its GPUs have been idle for 17 min"
    (cause,) = Client(engine=lab.engine).why(str(number))
    assert (cause.kind, cause.explanation) == (
        "IDLE",
        "it runs, but its processes use less than 2 % of its GPUs",
    )
    (listed,) = lab.engine.list(Query())
    assert (listed.state, listed.reason) == (State.RUNNING, "IDLE")
    assert listed.message == "its GPUs have been idle for 17 min"
    file.unlink()
    assert job(lab, number).reason == ""
    (listed,) = lab.engine.list(Query())
    assert (listed.state, listed.reason) == (State.RUNNING, "")


def test_the_screen_of_a_set_marks_its_idle_experiments(
    lab: Lab, card: FakeCard
) -> None:
    number = train(lab, card, "0 0", 600, "parameters: {x: [1, 2]}\nconcurrency: 2")
    view = lab.engine.view(Id(number=number))
    lab.until(lambda: view.read().experiments[0].state is State.RUNNING)
    file = lab.output(number, 1) / ".riseml" / "idle.train.0"
    file.write_text('{"idle": 960}\n')
    lab.until(lambda: view.read().experiments[0].reason == "IDLE", "the mark")
    screen = Terminal(width=120)
    now = datetime.now(UTC)
    text = "\n".join(set_screen.lines(view.read(), screen, now, room=20))
    assert "● IDLE" in text
    assert "its GPUs have been idle for 16 min" in text
