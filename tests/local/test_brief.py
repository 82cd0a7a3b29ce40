"""Reads for tables: the same as complete reads, without the jobs that tables do not show."""

import sqlite3
from dataclasses import replace

from riseml.client import views
from riseml.client.client import Client
from riseml.ids import Id
from riseml.status import SetStatus, State
from tests.local.conftest import Lab

JOB = """
import os, riseml, sys, time
number = int(sys.argv[1])
riseml.report_result(accuracy=number / 10)
if number == 2:
    sys.exit("it failed")
if number > 2:
    riseml.report_progress(1, 3)
    open(os.environ["FOLDER"] + "/reported", "w").close()
    time.sleep(600)
"""
SET = """
parameters: {n: [1, 2, 3, 4]}
concurrency: 1
run: python3 job.py {{n}}
"""


def start(lab: Lab, text: str) -> Id:
    lab.write({"job.py": JOB})
    handle = lab.train(text, FOLDER=str(lab.folder.parent))
    return Id(number=handle.number)


def without_jobs(run: SetStatus) -> SetStatus:
    experiments = [replace(one, jobs=()) for one in run.experiments]
    return replace(run, experiments=tuple(experiments))


def states(run: SetStatus) -> list[State]:
    return [one.state for one in run.experiments]


def read_both(lab: Lab, run: Id) -> tuple[SetStatus, SetStatus]:
    """Return a brief and a complete read between which nothing has changed."""

    def agree() -> bool:
        reads[:] = views.read_brief(lab.engine, run), lab.engine.read(run)
        return without_jobs(reads[0]) == without_jobs(reads[1])

    reads: list[SetStatus] = []
    lab.until(agree)
    return reads[0], reads[1]


def test_a_set_at_work_has_the_jobs_of_what_is_running(lab: Lab) -> None:
    run = start(lab, SET)
    lab.until((lab.folder.parent / "reported").exists)
    begun = [State.FINISHED, State.FAILED, State.RUNNING, State.CREATED]
    lab.until(lambda: states(lab.engine.read(run)) == begun)
    brief, complete = read_both(lab, run)
    assert brief.experiments[2] == complete.experiments[2]
    assert brief.experiments[2].progress == (1, 3)
    assert [len(one.jobs) for one in brief.experiments] == [0, 0, 1, 0]
    assert brief.experiments[1].result == {"accuracy": 0.2}


def test_a_set_that_has_ended_has_no_jobs(lab: Lab) -> None:
    run = start(lab, SET)
    lab.until((lab.folder.parent / "reported").exists)
    lab.engine.stop(run)
    lab.wait(run)
    brief = views.read_brief(lab.engine, run)
    ended = [State.FINISHED, State.FAILED, State.KILLED, State.KILLED]
    assert states(brief) == ended
    assert brief == without_jobs(lab.engine.read(run))


def test_a_damaged_row_does_not_hide_a_good_record(lab: Lab) -> None:
    run = start(lab, "parameters: {n: [0, 1]}\nrun: python3 job.py {{n}}")
    lab.wait(run)
    complete = lab.engine.read(run)
    with sqlite3.connect(lab.engine.home / "riseml.db") as database:
        database.execute("UPDATE experiments SET data = '{' WHERE sub = 2")
    database.close()
    for sub in (None, 1, 2):
        assert views.read_brief(lab.engine, replace(run, sub=sub)) == complete


def test_the_experiment_in_an_id_has_its_jobs(lab: Lab) -> None:
    run = start(lab, SET)
    lab.until((lab.folder.parent / "reported").exists)
    lab.until(lambda: states(lab.engine.read(run))[2] is State.RUNNING)
    complete = lab.engine.read(run)
    # One that has finished, one that has failed, and one that has not begun.
    for sub in (1, 2, 4):
        brief = views.read_brief(lab.engine, replace(run, sub=sub))
        assert brief.experiments[sub - 1] == complete.experiments[sub - 1]
        assert len(brief.experiments[sub - 1].jobs) == 1
    lab.engine.stop(run)
    lab.wait(run)
    complete = lab.engine.read(run)
    for sub in range(1, 5):
        brief = views.read_brief(lab.engine, replace(run, sub=sub))
        experiments = list(without_jobs(complete).experiments)
        experiments[sub - 1] = complete.experiments[sub - 1]
        assert list(brief.experiments) == experiments


def test_a_further_attempt_counts_as_at_work(lab: Lab) -> None:
    run = start(lab, f"retries: 1\n{SET}")
    lab.until((lab.folder.parent / "reported").exists)
    brief, _ = read_both(lab, run)
    assert states(brief)[:2] == [State.FINISHED, State.FAILED]


def test_a_single_experiment_has_its_jobs(lab: Lab) -> None:
    run = start(lab, "run: python3 job.py 3")
    lab.until((lab.folder.parent / "reported").exists)
    brief, complete = read_both(lab, run)
    assert brief == complete
    lab.engine.stop(run)
    lab.wait(run)
    assert views.read_brief(lab.engine, run) == lab.engine.read(run)


def test_a_repeated_set_is_read_in_full(lab: Lab) -> None:
    run = start(lab, "parameters: {n: [1, 2]}\nrun: python3 job.py {{n}}")
    lab.wait(run)
    Client(engine=lab.engine).retry(run, failed=True)
    lab.wait(run)
    brief = views.read_brief(lab.engine, run)
    assert brief == lab.engine.read(run)
    assert [len(one.jobs) for one in brief.experiments] == [1, 1]
