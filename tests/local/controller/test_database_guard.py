"""A database that is deleted, replaced or damaged while its controller runs: nothing is lost."""

import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.engines import Query
from riseml.engines.local import database_check, protocol
from riseml.engines.local.engine import LocalEngine
from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab, commands_of

SET = """
parameters: {{n: [1, 2, 3]}}
concurrency: 1
run: |
  echo begun >> {folder}/ran-{{{{n}}}}
  until test -e {folder}/go; do sleep 0.05; done
  echo "{{\\"acc\\": {{{{n}}}}}}" > $RESULT_FILE
"""


def delete(home: Path) -> None:
    (home / "riseml.db").unlink()


def delete_all(home: Path) -> None:
    for file in home.glob("riseml.db*"):
        file.unlink()


def replace_by_garbage(home: Path) -> None:
    (home / "other").write_bytes(b"no database" * 1000)
    (home / "other").rename(home / "riseml.db")


def replace_by_older(home: Path) -> None:
    shutil.copyfile(home / "older.db", home / "other")
    (home / "other").rename(home / "riseml.db")


def replace_by_folder(home: Path) -> None:
    delete_all(home)
    (home / "riseml.db").mkdir()


DAMAGES = [
    delete,
    delete_all,
    replace_by_garbage,
    replace_by_older,
    replace_by_folder,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_running_set_survives(
    damage: Callable[[Path], None], lab: Lab, tmp_path: Path
) -> None:
    home = lab.engine.home
    first = lab.run("run: 'true'")
    shutil.copyfile(home / "riseml.db", home / "older.db")
    number = lab.train(SET.format(folder=tmp_path)).number
    lab.until((tmp_path / "ran-1").exists, "the start")
    # This one reads the old file, and must see what comes after it.
    ends: list[object] = []
    follower = threading.Thread(target=lambda: ends.append(lab.wait(number)))
    follower.start()
    lab.until(lambda: lab.engine.read(Id(number=number)).state is State.RUNNING)
    damage(home)
    (tmp_path / "go").touch()
    follower.join(60)
    assert [getattr(end, "state", None) for end in ends] == [State.FINISHED]
    engine = LocalEngine(home, "me")
    run = engine.read(Id(number=number))
    assert [experiment.result for experiment in run.experiments] == [
        {"acc": 1},
        {"acc": 2},
        {"acc": 3},
    ]
    assert all((tmp_path / f"ran-{n}").read_text() == "begun\n" for n in (1, 2, 3))
    assert engine.read(Id(number=1)) == first
    assert [run.number for run in engine.list(Query(all=True))] == [number, 1]
    assert lab.train("run: 'true'").number == number + 1
    lab.wait(number + 1)
    assert database_check.examine(home).fault == ""
    is_kept = any(home.glob("riseml.db.damaged-*"))
    assert is_kept or damage in (delete, delete_all)


def kill_controller(home: Path) -> None:
    pid = int((home / "controller.lock").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    while protocol.answers(home):
        time.sleep(0.005)


def test_a_repair_without_a_controller_saves_the_runs_that_it_can_read(
    lab: Lab, tmp_path: Path
) -> None:
    home = lab.engine.home
    first = lab.run("run: 'true'")
    number = lab.train(SET.format(folder=tmp_path)).number
    lab.until((tmp_path / "ran-1").exists, "the start")
    kill_controller(home)
    with closing(sqlite3.connect(home / "riseml.db")) as database:
        database.execute("DROP TABLE counters")
    sentences = LocalEngine(home, "me").repair()
    assert "no such table: counters" in sentences[0]
    assert f"Runs that have not ended continue: {number}." in sentences
    assert "Restored 1 run from their run.json: 1." in sentences
    (tmp_path / "go").touch()
    lab.engine = LocalEngine(home, "me")
    assert lab.wait(number).state is State.FINISHED
    assert lab.engine.read(Id(number=1)) == first
    assert all((tmp_path / f"ran-{n}").read_text() == "begun\n" for n in (1, 2, 3))


def test_a_repair_says_which_runs_cannot_continue_and_ends_their_jobs(
    lab: Lab, tmp_path: Path
) -> None:
    home = lab.engine.home
    number = lab.train(SET.format(folder=tmp_path)).number
    lab.until((tmp_path / "ran-1").exists, "the start")
    kill_controller(home)
    for file in home.glob("riseml.db*"):
        file.unlink()
    sentences = "\n".join(LocalEngine(home, "me").repair())
    assert f"Run {number} is listed as FAILED, with its output only" in sentences
    lab.engine = LocalEngine(home, "me")
    assert lab.engine.read(Id(number=number)).state is State.FAILED
    lab.until(lambda: list((home / "runs").iterdir()) == [], "the end of its jobs")
    assert not any("until test" in line for line in commands_of(home))
    assert not (tmp_path / "ran-2").exists()


def test_a_run_does_not_run_again_if_the_newest_changes_were_lost(
    lab: Lab, tmp_path: Path
) -> None:
    home = lab.engine.home
    ended = lab.run(f"run: echo begun >> {tmp_path}/ran")
    protocol.stop_controller(home)
    with closing(sqlite3.connect(home / "riseml.db")) as database:
        database.executescript(
            "UPDATE runs SET ended=0, status='{}', state='CREATED'; DELETE FROM nodes"
        )
    lab.engine = LocalEngine(home, "me")
    assert lab.engine.read(Id(number=1)) == ended
    assert (tmp_path / "ran").read_text() == "begun\n"


def overwrite(home: Path) -> None:
    size = (home / "riseml.db").stat().st_size
    with (home / "riseml.db").open("r+b") as file:
        file.write(b"no database" * (size // 11))


def truncate(home: Path) -> None:
    for name in ("riseml.db", "riseml.db-wal"):
        (home / name).write_bytes(b"")


@pytest.mark.parametrize("damage", [overwrite, truncate], ids=lambda d: d.__name__)
def test_a_repair_during_a_run_loses_nothing(
    damage: Callable[[Path], None], lab: Lab, tmp_path: Path
) -> None:
    home = lab.engine.home
    first = lab.run("run: 'true'")
    number = lab.train(SET.format(folder=tmp_path)).number
    lab.until((tmp_path / "ran-1").exists, "the start")
    damage(home)
    sentences = LocalEngine(home, "me").repair()
    if sentences:
        assert f"Runs that have not ended continue: {number}." in sentences
        assert "Restored 1 run from their run.json: 1." in sentences
    (tmp_path / "go").touch()
    engine = LocalEngine(home, "me")
    lab.engine = engine
    assert lab.wait(number).state is State.FINISHED
    assert engine.read(Id(number=1)) == first
    assert all((tmp_path / f"ran-{n}").read_text() == "begun\n" for n in (1, 2, 3))
    protocol.stop_controller(home)
    assert database_check.examine(home).fault == ""


@pytest.mark.parametrize("damage", [delete_all, replace_by_garbage])
def test_a_repeated_set_keeps_all_its_workflows(
    lab: Lab, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """The first Workflow has ended, and a further one runs when the database is lost."""
    client = Client(engine=lab.engine)
    number = (
        lab.run(
            f"""
        parameters: {{n: [1, 2]}}
        concurrency: 2
        run: |
          [ {{{{n}}}} = 2 ] || exit 0
          [ $RISEML_ATTEMPT = 1 ] || exit 1
          touch {tmp_path}/on
          until test -e {tmp_path}/go; do sleep 0.05; done
        """
        ).number
        or 0
    )
    client.retry(str(number))
    lab.until((tmp_path / "on").exists)
    damage(lab.engine.home)
    # This makes the controller put the database back.
    protocol.call(lab.engine.home, "check")
    engine = LocalEngine(lab.engine.home, "me")
    run = engine.read(Id(number=number))
    assert [experiment.state for experiment in run.experiments] == [
        State.FINISHED,
        State.RUNNING,
    ]
    (tmp_path / "go").touch()
    lab.engine = engine
    lab.wait(number)
    first, second = engine.read(Id(number=number)).experiments
    assert (first.state, second.state) == (State.FINISHED, State.FINISHED)
    assert [attempt.state for attempt in second.jobs[0].attempts] == [
        State.FAILED,
        State.FINISHED,
    ]
