"""Complete screens of the main commands at 60, 80 and 140 columns, as files in `widths`.

The variable REGENERATE=1 rewrites the files. A line of a table, a bar or a field never
wraps; sentences may.
"""

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from riseml.cli.table import cells_wide
from riseml.client.client import Client
from riseml.engines import Change, Chunk
from riseml.project import Exclusion
from riseml.status import ExperimentStatus, SetStatus, State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, ago, grid, job, single
from tests.cli.test_doctor import FINDINGS

SCREENS = Path(__file__).parent / "widths"
RESULTS = {
    1: {"accuracy": 0.91234567, "val_loss": 1.25e-7},
    2: {"accuracy": 0.95, "val_loss": 0.31},
}
TIME = 1_500_000_000
COMMAND = "python fit.py --lr {{lr}} --opt {{opt}}"
BROKEN = """\
project: toaster-net
trian:
  image: python:3.12
  resources: {cpus: one, mem: 512}
  parameters: {lr: [0.1, 0.2]}
  run: python fit.py --lr {{lrr}}
"""
VALID = """\
project: toaster-net
train:
  image: python:3.12
  run: python fit.py
"""


def _gang() -> SetStatus:
    jobs = (
        job("19.master", State.KILLED, reason="PEER", started=ago(minutes=10)),
        job(
            "19.worker.1",
            State.FAILED,
            reason="ERROR",
            message="exit code 1",
            exit_code=1,
            started=ago(minutes=10),
            finished=ago(minutes=9),
        ),
        job("19.worker.2", State.KILLED, reason="PEER", started=ago(minutes=10)),
    )
    run = single(19, State.FAILED)
    experiment = replace(
        run.experiments[0],
        jobs=jobs,
        guilty="19.worker.1",
        exit_code=1,
        reason="ERROR",
        message="exit code 1",
    )
    return replace(run, framework="pytorch", experiments=(experiment,))


def _set() -> SetStatus:
    states = [State.FINISHED, State.RUNNING, State.FAILED, State.CREATED]
    return replace(grid(15, states, RESULTS), run=(COMMAND,))


def _killed() -> SetStatus:
    run = single(13, State.KILLED)
    experiment: ExperimentStatus = replace(run.experiments[0], reason="KILLED")
    return replace(run, experiments=(experiment,))


def _waiting() -> SetStatus:
    run = single(17, State.PENDING)
    reason, message = "UNSCHEDULABLE", "waiting: 1 cpu needed, 0 free"
    jobs = (job("17.train", State.PENDING, reason=reason, message=message),)
    experiment = replace(run.experiments[0], jobs=jobs, reason=reason, message=message)
    return replace(run, experiments=(experiment,))


RUNS = [_gang(), _waiting(), single(16), _set(), _killed(), single(12, State.FINISHED)]
EVENTS: list[Chunk | Change] = [
    Change(
        "14.train",
        "PENDING",
        ago(minutes=10),
        "UNSCHEDULABLE",
        "waiting: 1 cpu needed, 0 free",
    ),
    Change("14.train", "RUNNING", ago(minutes=10)),
    Chunk("14.train", b"epoch 1 10%\repoch 1 100%\nloss 0.5\n"),
    Change("14.train", "FINISHED", ago(minutes=9)),
]
# Each with the contents of riseml.yml
CASES = {
    "train": ("train", VALID),
    "train-followed": ("train -l", VALID),
    "list": ("status -a", VALID),
    "list-long": ("status -a -l", VALID),
    "single": ("status 16", VALID),
    "waiting": ("status 17", VALID),
    "killed": ("status 13", VALID),
    "set": ("status 15", VALID),
    "experiment": ("status 15.2", VALID),
    "gang": ("status 19", VALID),
    "logs": ("logs 16", VALID),
    "results": ("results 15 --sort accuracy", VALID),
    "why": ("why 17", VALID),
    "why-gang": ("why 19", VALID),
    "check": ("check", BROKEN),
    "cp": ("cp output://~/14 mine", VALID),
    "ls": ("ls output://~/14", VALID),
    "prune": ("prune --older-than 5m --dry-run", VALID),
    "delete": ("delete 12 13 -y", VALID),
    "doctor": ("doctor", VALID),
}


@pytest.fixture
def _world(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.runs, engine.events = list(RUNS), list(EVENTS)
    engine.started_run = single(14, State.FINISHED)
    engine.excluded = (Exclusion("data/", ".gitignore", 1_200_000),)
    engine.volumes = tmp_path / "volumes"
    for name in ("model.pt", "checkpoints/epoch-0001.pt"):
        file = engine.volumes / "output/paul/toaster-net/14" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("12345")
        os.utime(file, (TIME, TIME))
    os.utime(file.parent, (TIME, TIME))
    monkeypatch.setattr(Client, "doctor", lambda self: iter(FINDINGS))


@pytest.mark.usefixtures("_world")
@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("name", CASES)
def test_screen(
    name: str, width: int, riseml: Riseml, screen: Callable[..., None]
) -> None:
    line, config = CASES[name]
    Path("riseml.yml").write_text(config)
    screen(width, colour=False)
    result = riseml(*shlex.split(line))
    text = f"$ riseml {line}\n{result.out}"
    text += "".join(f"2> {error}\n" for error in result.err.splitlines())
    text += f"[exit {result.status}]\n"
    file = SCREENS / f"{name}-{width}.txt"
    if os.environ.get("REGENERATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text.encode())
    assert text == file.read_bytes().decode()


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("name", ["list", "list-long", "set", "gang", "results", "ls"])
def test_tables_do_not_wrap(name: str, width: int) -> None:
    for line in (SCREENS / f"{name}-{width}.txt").read_text().splitlines():
        # Sentences end with a period, and fields have a colon.
        if not line.startswith("2> ") and ":  " not in line:
            assert cells_wide(line) <= width, line
