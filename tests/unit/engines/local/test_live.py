"""Views of local runs: each read shows what has changed since the last one."""

import json
import os
from dataclasses import replace

import pytest

from riseml.engines import Growth
from riseml.engines.local.live import LiveRun
from riseml.ids import Id
from riseml.plan import Experiment, Metric, Retries
from riseml.status import ExperimentStatus, State
from tests.folders import write
from tests.unit.engines.local.controlled_home import ControlledHome, states
from tests.unit.plans import grid, single

SET = grid({"lr": "1"}, {"lr": "2"}, {"lr": "3"}, concurrency=2)


def view_of(home: ControlledHome, number: int = 1, sub: int | None = None) -> LiveRun:
    return LiveRun(home.reader, Id(number=number, sub=sub))


def report(home: ControlledHome, sub: int, step: int, attempt: int = 0) -> None:
    """Report a result and progress as the jobs of an experiment do."""
    folder = home.output(1, str(sub))
    write(
        folder,
        {
            ".riseml/results.jsonl": json.dumps({"step": step}) + "\n",
            ".riseml/progress": f"{step}/4 {attempt}\n",
        },
    )
    # The stamp of a file changes in any case.
    os.utime(folder / ".riseml/progress", (step, step))


def reported(experiment: ExperimentStatus) -> tuple[object, object]:
    return experiment.results.get("step"), experiment.progress


def test_a_view_shows_states_as_they_change(home: ControlledHome) -> None:
    home.start(SET)
    view = view_of(home)
    first = view.read()
    assert (first.state, states(first)) == (
        State.RUNNING,
        ["RUNNING", "RUNNING", "CREATED"],
    )
    assert first.started is not None
    home.end("1.train", status=3)
    run = view.read()
    assert states(run) == ["FAILED", "RUNNING", "RUNNING"]
    assert run.experiments[0].exit_code == 3
    assert run.counts == {State.FAILED: 1, State.RUNNING: 2}
    home.end("2.train", "3.train")
    ended = view.read()
    assert (ended.state, states(ended)) == (
        State.FAILED,
        ["FAILED", "FINISHED", "FINISHED"],
    )
    assert ended == home.read()
    view.close()


def test_running_experiments_have_their_jobs(home: ControlledHome) -> None:
    home.start(replace(SET, retries=Retries(2)))
    view = view_of(home)
    view.read()
    home.end("2.train", status=1)
    first, second, third = view.read().experiments
    assert [job.state for job in first.jobs] == [State.RUNNING]
    (job,) = second.jobs
    assert (job.state, job.type, job.attempt) == (State.RUNNING, "train", 1)
    assert (job.id, second.attempt) == ("1.2.train", 1)
    # The experiment started with its first attempt.
    assert job.started is not None
    assert second.started is not None
    assert job.started > second.started
    assert third.state is State.CREATED


def test_results_and_progress_appear_while_jobs_run(home: ControlledHome) -> None:
    home.start(SET)
    view = view_of(home)
    assert reported(view.read().experiments[0]) == (None, None)
    report(home, 1, 1)
    report(home, 2, 3)
    first, second, third = view.read().experiments
    assert reported(first) == (1, (1, 4))
    assert first.progressed is not None
    assert first.progressed.timestamp() == 1
    assert (reported(second), reported(third)) == ((3, (3, 4)), (None, None))
    report(home, 1, 2)
    assert reported(view.read().experiments[0]) == (2, (2, 4))
    home.end("1.train")
    first = view.read().experiments[0]
    assert (first.state, first.results) == (State.FINISHED, {"step": 2})


def test_progress_of_an_earlier_attempt_does_not_count(home: ControlledHome) -> None:
    home.start(replace(SET, retries=Retries(1)))
    view = view_of(home)
    report(home, 1, 3)
    assert reported(view.read().experiments[0]) == (3, (3, 4))
    home.end("1.train", status=1)
    assert reported(view.read().experiments[0]) == (None, None)
    report(home, 1, 1, attempt=1)
    (home.output(1, "1") / ".riseml/attempt.1").touch()
    assert reported(view.read().experiments[0]) == (1, (1, 4))


def test_metrics_of_logs_appear_while_jobs_run(home: ControlledHome) -> None:
    home.start(replace(SET, metrics=(Metric("acc", "max"),)))
    view = view_of(home)
    write(home.output(1, "1"), {".riseml/logs/train.0.log": "acc: 0.5\nacc: 0.25\n"})
    first = view.read().experiments[0]
    assert first.results == {"acc": 0.5}


def test_files_are_read_in_turns(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.start(replace(SET, concurrency=3))
    view = view_of(home)
    view.read()
    for sub in (1, 2, 3):
        report(home, sub, sub)
    # There is time for one experiment a read.
    monkeypatch.setattr("riseml.engines.local.live._FILES_SECONDS", -1.0)
    counts = []
    for _ in range(3):
        run = view.read()
        counts.append(sum(bool(one.progress) for one in run.experiments))
    assert counts == [1, 2, 3]


def test_the_experiment_in_the_id_has_all_its_jobs(home: ControlledHome) -> None:
    home.start(replace(SET, retries=Retries(1)))
    view = view_of(home, sub=2)
    view.read()
    home.end("2.train", status=1)
    (job,) = view.read().experiments[1].jobs
    assert [attempt.state for attempt in job.attempts] == [
        State.FAILED,
        State.RUNNING,
    ]


def test_a_set_is_shown_as_it_grows(home: ControlledHome) -> None:
    home.start(SET)
    view = view_of(home)
    home.end("1.train", status=1)
    assert states(view.read()) == ["FAILED", "RUNNING", "RUNNING"]
    experiments = (
        Experiment(1, {"lr": "1"}, attempts=1),
        Experiment(4, {"lr": "4"}),
    )
    home.start(replace(SET, experiments=experiments), Growth(1, 2))
    run = view.read()
    assert states(run) == ["RUNNING"] * 4
    assert run.experiments[3].parameters == {"lr": "4"}
    # Attempts are counted on, so the progress of this one is not that of an earlier one.
    assert [job.attempt for job in run.experiments[0].jobs] == [1]
    report(home, 1, 2, attempt=0)
    assert view.read().experiments[0].progress is None
    report(home, 1, 3, attempt=1)
    assert view.read().experiments[0].progress == (3, 4)
    home.end("1.train", "4.train")
    assert states(view.read()) == ["FINISHED", "RUNNING", "RUNNING", "FINISHED"]


def test_a_single_experiment_is_read_in_full(home: ControlledHome) -> None:
    home.start(single())
    view = view_of(home)
    (experiment,) = view.read().experiments
    assert [job.state for job in experiment.jobs] == [State.RUNNING]
    home.end("1.train")
    assert view.read().state is State.FINISHED
