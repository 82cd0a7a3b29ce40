"""What killed processes leave: the next controller removes it, and so do `delete` and `prune`."""

import os
import signal
import stat
import tempfile
import time
from pathlib import Path

from riseml.engines.local import outputs, protocol
from riseml.engines.local.controller.loop import EventLoop, FolderRemover
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import PATIENCE, Lab, commands_of
from tests.privileges import nobody


def kill_controller(home: Path) -> None:
    """Kill the controller, and wait until it no longer answers."""
    pid = int((home / "controller.lock").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    while protocol.answers(home):
        time.sleep(0.005)


def leave(home: Path, *names: str) -> None:
    for name in names:
        (home / name / "node/checkout").mkdir(parents=True)
        (home / name / "node/pid").write_text("1 2 3 4\n")


def remaining(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "runs").iterdir())


def test_folders_of_ended_and_unknown_runs_are_removed_when_a_controller_starts(
    lab: Lab,
) -> None:
    lab.run("run: 'true'")
    number = lab.train("run: sleep 1000").number
    lab.until(lambda: f"pod lab-{number}" in lab.controller_log(), "the start of a pod")
    kill_controller(lab.engine.home)
    leave(lab.engine.home, "runs/1", "runs/7", "runs/.riseml-x", "output/.riseml-y")
    protocol.ensure(lab.engine.home)
    lab.until(lambda: remaining(lab.engine.home) == [str(number)], "the removal")
    lab.until(lambda: not list((lab.engine.home / "output").glob(".r*")), "the probe")
    assert lab.engine.read(Id(number=number)).state is State.RUNNING


def test_files_that_killed_processes_had_not_finished_are_removed(lab: Lab) -> None:
    lab.run("run: 'true'")
    home = lab.engine.home
    lab.engine.set_secret("KEY", "value")
    protocol.stop_controller(home)
    # No process has this number, and this process has the other one.
    gone, alive = 2**22 + 1, os.getpid()
    removed = [
        home / f"secrets.{gone}-1",
        home / f"secrets.past.{gone}-1",
        home / f"checkouts/lab/.part-{gone}-1/file",
        home / ".riseml-riseml.db/riseml.db",
        home / "checkouts.unused-1/lab/file",
        home / "envs/.part-ab12/file",
        home / "envs/.removed-ab12-1/file",
    ]
    kept = [
        home / f"secrets.{alive}-1",
        home / f"checkouts/lab/.part-{alive}-1/file",
        home / "envs/ab12/file",
    ]
    for path in removed + kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    protocol.ensure(home)
    lab.until(lambda: not any(path.exists() for path in removed), "the removal")
    assert all(path.exists() for path in kept)
    assert lab.engine.secrets() == {"KEY": "value"}


def test_delete_removes_the_folder_of_an_ended_run(lab: Lab) -> None:
    lab.run("run: 'true'")
    lab.until(lambda: remaining(lab.engine.home) == [], "the removal")
    leave(lab.engine.home, "runs/1")
    lab.engine.delete(Id(number=1))
    lab.until(lambda: remaining(lab.engine.home) == [], "the removal")


def test_prune_removes_the_folders_of_ended_runs(lab: Lab) -> None:
    lab.run("run: 'true'")
    lab.until(lambda: remaining(lab.engine.home) == [], "the removal")
    leave(lab.engine.home, "runs/1", "runs/7")
    lab.engine.prune_unused(0)
    lab.until(lambda: remaining(lab.engine.home) == [], "the removal")


def test_processes_of_a_run_that_is_not_on_record_are_killed(lab: Lab) -> None:
    lab.train("run: 'setsid sleep 54321 & sleep 54321'")
    home = lab.engine.home

    def sleeping() -> bool:
        return any("sleep 54321" in line for line in commands_of(home))

    lab.until(sleeping, "the start of the job")
    kill_controller(home)
    for file in home.glob("riseml.db*"):
        file.unlink()
    protocol.ensure(home)
    lab.until(lambda: not sleeping(), "the end of the job's processes")
    lab.until(lambda: remaining(home) == [], "the removal")


def test_a_closed_folder_is_removed() -> None:
    with nobody(), tempfile.TemporaryDirectory(dir="/tmp") as parent:
        run = Path(parent) / "run"
        closed = run / "node/overlay/work"
        (closed / "incompat").mkdir(parents=True)
        closed.chmod(0)
        # Checkouts share files.
        shared = Path(parent) / "shared"
        shared.touch(0o444)
        checkout = run / "checkout"
        checkout.mkdir()
        (checkout / "file").hardlink_to(shared)
        checkout.chmod(0o555)
        loop = EventLoop()
        remover = FolderRemover(loop)
        remover.discard([run])
        limit = time.monotonic() + PATIENCE
        while remover.is_busy() and time.monotonic() < limit:
            loop.run_once(time.monotonic() + 0.01)
        assert not run.exists()
        assert stat.S_IMODE(shared.stat().st_mode) == 0o444


def test_delete_removes_output_from_folders_that_a_job_has_closed() -> None:
    with nobody(), tempfile.TemporaryDirectory(dir="/tmp") as parent:
        run = Path(parent) / "1"
        closed = run / "workdir/closed"
        closed.mkdir(parents=True)
        (closed / "file").touch()
        closed.chmod(0)
        (run / "workdir").chmod(0o500)
        outputs.remove(run)
        assert not run.exists()
        outputs.remove(run)


def test_a_number_with_output_is_not_reused_when_the_database_is_lost(lab: Lab) -> None:
    for _ in range(3):
        lab.run("run: echo first > $OUTPUT_DIR/mine")
    protocol.stop_controller(lab.engine.home)
    for file in lab.engine.home.glob("riseml.db*"):
        file.unlink()
    assert lab.train("run: echo second > $OUTPUT_DIR/mine").number == 4
    lab.wait(4)
    written = [
        (lab.engine.home / f"output/me/lab/{number}/mine").read_text()
        for number in range(1, 5)
    ]
    assert written == ["first\n"] * 3 + ["second\n"]
