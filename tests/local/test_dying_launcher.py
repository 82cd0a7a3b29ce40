"""Launchers and half-created jobs that are killed: every experiment runs once, as soon as that is possible."""

import sys
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.engines.local import protocol
from riseml.ids import Id
from riseml.status import ExperimentStatus, State
from tests.local.conftest import Lab
from tests.local.mortal_controller import Step, set_trap

_LAUNCHER = """
import os, runpy, sys
from pathlib import Path
bare, folder, way = {words!r}
broken = Path(folder, "broken").exists()
if sys.argv[1] == "forkserver":
    if broken and way == "launcher":
        os.kill(os.getpid(), 9)
    sys.path.insert(0, str(Path(bare).parents[4]))
    from riseml.engines.local.jobs import forkserver
    write_pid = forkserver._write_pid
    def die(boot):
        if Path(folder, "broken").exists():
            if way == "child with a record":
                write_pid(boot)
            os.kill(os.getpid(), 9)
        return write_pid(boot)
    become = os.execve
    def die_as_supervisor(*words):
        deaths = Path(folder, "broken")
        if deaths.exists():
            left = int(deaths.read_text())
            deaths.write_text(str(left - 1)) if left > 1 else deaths.unlink()
            os.kill(os.getpid(), 9)
        become(*words)
    if way == "supervisor":
        os.execve = die_as_supervisor
    elif way != "launcher":
        forkserver._write_pid = die
sys.argv[0] = bare
runpy.run_path(bare, run_name="__main__")
"""
_CONTROLLER = """
import sys
from pathlib import Path
from riseml.engines.local.controller import launches, server
from riseml.engines.local.jobs import launcher
launches.PATIENCE_SECONDS = {patience}
launches._PAUSE_OF_IMPATIENT_SECONDS = 0.2
launcher.bare = lambda: (sys.executable, "-I", "-c", {launcher!r})
sys.exit(server.main(Path(sys.argv[1])))
"""
_WAYS = ("launcher", "child", "child with a record")


def break_launches(
    monkeypatch: pytest.MonkeyPatch, folder: Path, way: str, patience: float
) -> Path:
    """Let launches fail as long as the returned file exists."""
    bare = Path(protocol.__file__).parent / "jobs" / "bare.py"
    launcher = _LAUNCHER.format(words=(str(bare), str(folder), way))
    program = _CONTROLLER.format(patience=patience, launcher=launcher)
    monkeypatch.setattr(protocol, "CONTROLLER", (sys.executable, "-c", program))
    broken = folder / "broken"
    broken.touch()
    return broken


def first_experiment(lab: Lab) -> ExperimentStatus:
    return lab.engine.read(Id(number=1)).experiments[0]


def failed_launches(lab: Lab) -> int:
    log = protocol.log_file(lab.engine.home)
    return log.read_text().count("cannot start now")


@pytest.mark.parametrize("way", _WAYS)
def test_an_experiment_waits_until_it_can_be_launched(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """It is not FAILED for a launch that failed, and runs once."""
    broken = break_launches(monkeypatch, tmp_path, way, patience=600)
    number = lab.train(
        f"""
        parameters: {{n: [1, 2, 3]}}
        concurrency: 3
        run: echo run {{{{n}}}} >> {tmp_path}/ran
        """
    ).number
    lab.until(lambda: failed_launches(lab) >= 4)
    run = lab.engine.read(Id(number=number))
    assert [e.state for e in run.experiments] == [State.PENDING] * 3
    broken.unlink()
    assert lab.wait(number).state is State.FINISHED
    ran = sorted((tmp_path / "ran").read_text().splitlines())
    assert ran == ["run 1", "run 2", "run 3"]


@pytest.mark.parametrize(("deaths", "state"), [(3, State.FINISHED), (6, State.FAILED)])
def test_a_supervisor_that_dies_before_its_first_step_is_replaced(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deaths: int,
    state: State,
) -> None:
    """The job has not run, unless that happens again and again."""
    broken = break_launches(monkeypatch, tmp_path, "supervisor", patience=600)
    broken.write_text(str(deaths))
    number = lab.train(f"run: echo run >> {tmp_path}/ran").number
    assert lab.wait(number).state is state
    experiment = first_experiment(lab)
    if state is State.FINISHED:
        assert (tmp_path / "ran").read_text() == "run\n"
    else:
        assert experiment.message == "the job's supervisor was killed"
        assert not (tmp_path / "ran").exists()


def test_a_run_shows_why_it_cannot_be_launched(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = break_launches(monkeypatch, tmp_path, "launcher", patience=0.5)
    lab.train("run: 'true'")
    lab.until(lambda: first_experiment(lab).reason == "LAUNCH")
    experiment = first_experiment(lab)
    assert experiment.state is State.PENDING
    assert experiment.message == "NotLaunched: the launcher was killed"
    (cause,) = Client().why("1")
    assert "has not been able to start its processes" in cause.explanation
    assert "NotLaunched: the launcher was killed" in cause.evidence
    broken.unlink()
    assert lab.wait(1).state is State.FINISHED
    assert first_experiment(lab).reason == "COMPLETED"


def test_a_run_that_cannot_be_launched_can_be_killed(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_launches(monkeypatch, tmp_path, "launcher", patience=0.1)
    lab.train("run: 'true'")
    lab.until(lambda: first_experiment(lab).reason == "LAUNCH")
    lab.engine.stop(Id(number=1))
    assert lab.wait(1).state is State.KILLED


@pytest.mark.parametrize(
    "step",
    [
        "riseml.engines.local.controller.pod_preparation:make_folders",
        "riseml.engines.local.jobs.launcher:Launcher.begin",
    ],
)
def test_the_next_controller_launches_what_was_about_to_start(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Folders that a killed controller has made are in nobody's way."""
    trap = set_trap(monkeypatch, tmp_path, Step(step))
    trap.arm()
    lab.write({"code.txt": "code\n"})
    lab.train("run: 'cat code.txt; echo more >> code.txt'")
    assert lab.wait(1).state is State.FINISHED
    assert trap.has_snapped
    assert lab.log(1) == "code\n"
    folders = [path.name for path in lab.output(1).glob("workdir*")]
    assert folders == ["workdir"]
