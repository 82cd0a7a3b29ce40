"""Runs in their controller: started, repeated, killed, restored and deleted."""

import json
import time
import uuid
from dataclasses import replace
from decimal import Decimal

import pytest

from riseml.engines import Growth
from riseml.engines.local.controller import runs
from riseml.errors import (
    ChangedMeanwhileError,
    InvalidInputError,
    NotFoundError,
    RiseMLError,
    UnsupportedError,
)
from riseml.marks import from_data, to_data
from riseml.plan import Experiment, ExperimentSet, Marks, Resources, Retries
from riseml.status import State
from tests.unit.engines.local.controlled_home import ControlledHome, states
from tests.unit.plans import grid, single

SET = grid({"lr": "1"}, {"lr": "2"}, {"lr": "3"}, concurrency=2)


def repeated(*subs: int) -> ExperimentSet:
    """Return the further attempts of experiments of `SET`."""
    experiments = [Experiment(sub, {"lr": str(sub)}, attempts=1) for sub in subs]
    return replace(SET, experiments=tuple(experiments))


def test_a_controller_without_runs_wakes_up_once_a_minute(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_SAMPLE_SECONDS", 0.001)
    home.start(single())
    home.end("1.train")
    assert not home.active
    for _ in range(100):
        home.loop.run_once(time.monotonic() + 0.01)
    # Wait for no descriptor and no timer of the next seconds.
    assert not home.loop.selector.get_map()
    due = min(timer[0] for timer in home.loop._timers)
    assert due - time.monotonic() > 50


def test_a_single_experiment_runs_to_its_end(home: ControlledHome) -> None:
    answer = home.start(single())
    assert (answer["number"], answer["experiments"]) == (1, 1)
    assert home.read().state is State.RUNNING
    home.end("1.train")
    run = home.read()
    assert (run.state, states(run)) == (State.FINISHED, ["FINISHED"])
    record = json.loads(home.output(1, "run.json").read_text())
    assert (record["id"], record["state"]) == ("1", "FINISHED")
    # Nothing is left of its processes.
    assert (home.active, list((home.home / "runs").iterdir())) == ({}, [])


def test_a_set_runs_as_many_experiments_as_it_may(home: ControlledHome) -> None:
    home.start(SET)
    assert sorted(home.running()) == ["1.train", "2.train"]
    home.end("1.train")
    assert sorted(home.running()) == ["2.train", "3.train"]
    run = home.read()
    assert states(run) == ["FINISHED", "RUNNING", "RUNNING"]
    assert run.counts == {State.FINISHED: 1, State.RUNNING: 2}
    home.end("2.train", status=3)
    home.end("3.train")
    run = home.read()
    assert (run.state, states(run)) == (
        State.FAILED,
        ["FINISHED", "FAILED", "FINISHED"],
    )
    assert run.experiments[1].exit_code == 3


def test_a_job_has_further_attempts(home: ControlledHome) -> None:
    home.start(single(retries=Retries(1)))
    home.end("1.train", status=1)
    assert states(home.read()) == ["RUNNING"]
    home.end("1.train")
    (experiment,) = home.read().experiments
    (job,) = experiment.jobs
    assert [attempt.state for attempt in job.attempts] == [State.FAILED, State.FINISHED]


def test_experiments_of_a_set_are_repeated_in_it(home: ControlledHome) -> None:
    home.start(SET)
    home.end("1.train", "2.train", status=1)
    # An experiment may be repeated while others of its set have not ended.
    answer = home.start(repeated(2), Growth(1, 2))
    assert (answer["number"], answer["experiments"]) == (1, 1)
    run = home.read()
    assert states(run) == ["FAILED", "RUNNING", "RUNNING"]
    assert [workflow.index for workflow in run.workflows] == [1, 2]
    home.end("3.train")
    assert home.read().state is State.RUNNING
    home.end("2.train")
    run = home.read()
    assert (run.state, states(run)) == (
        State.FAILED,
        ["FAILED", "FINISHED", "FINISHED"],
    )
    (job,) = run.experiments[1].jobs
    assert [attempt.state for attempt in job.attempts] == [State.FAILED, State.FINISHED]
    record = json.loads(home.output(1, "run.json").read_text())
    assert [one["state"] for one in record["experiments"]] == states(run)


def test_a_set_that_has_ended_is_extended(home: ControlledHome) -> None:
    home.start(grid({"lr": "1"}))
    home.end("1.train")
    added = grid({"lr": "2"}, experiments=(Experiment(2, {"lr": "2"}),))
    home.start(added, Growth(1, 2))
    assert states(home.read()) == ["FINISHED", "RUNNING"]
    home.end("2.train")
    run = home.read()
    assert (run.state, states(run)) == (State.FINISHED, ["FINISHED"] * 2)
    assert run.experiments[1].parameters == {"lr": "2"}


def test_of_two_commands_that_repeat_the_same_one_is_refused(
    home: ControlledHome,
) -> None:
    home.start(SET)
    home.end("1.train", status=1)
    home.start(repeated(1), Growth(1, 2))
    for growth in (Growth(1, 2), Growth(1, 3)):
        with pytest.raises(ChangedMeanwhileError):
            home.start(repeated(1), growth)
    assert [workflow.index for workflow in home.read().workflows] == [1, 2]


def test_a_kill_ends_all_workflows_of_a_run(home: ControlledHome) -> None:
    home.start(SET)
    home.end("1.train", status=1)
    home.start(repeated(1), Growth(1, 2))
    assert home.runs.stop(1)
    home.settle()
    home.settle()
    run = home.read()
    assert (run.state, states(run)) == (State.KILLED, ["KILLED"] * 3)
    assert {name for name, _ in home.jobs.signals} == {"TERM"}
    assert not home.runs.stop(1)
    # The answer was lost, and the command asks again.
    assert home.runs.stop(1, again=True)


@pytest.mark.parametrize(("force", "signal"), [(False, "TERM"), (True, "KILL")])
def test_one_experiment_is_killed(
    force: bool, signal: str, home: ControlledHome
) -> None:
    home.start(SET)
    assert home.runs.stop(1, 2, force=force)
    # Nothing is signaled before it is recorded.
    assert home.jobs.signals == []
    home.settle()
    home.settle()
    assert [name for name, _ in home.jobs.signals] == [signal]
    run = home.read()
    assert states(run) == ["RUNNING", "KILLED", "RUNNING"]
    assert not home.runs.stop(1, 2)


def test_what_does_not_exist_is_not_found(home: ControlledHome) -> None:
    for act in (home.runs.stop, home.runs.delete):
        with pytest.raises(NotFoundError, match="there is no run 7"):
            act(7)
    with pytest.raises(NotFoundError, match="there is no run 7"):
        home.runs.mark(7, {})
    assert home.runs.delete(7, again=True)


def test_a_run_is_deleted_with_all_its_workflows(home: ControlledHome) -> None:
    home.start(SET)
    home.end("1.train", status=1)
    home.start(repeated(1), Growth(1, 2))
    with pytest.raises(RiseMLError, match="run 1 has not ended"):
        home.runs.delete(1)
    home.end("1.train", "2.train", "3.train")
    assert home.runs.delete(1)
    assert (home.store.numbers(), home.store.shards(1)) == (set(), [])
    # Its output remains, so its number is not used again.
    assert home.start(single())["number"] == 2


def test_marks_are_also_in_the_record_of_an_ended_run(home: ControlledHome) -> None:
    home.start(single())
    home.runs.mark(1, to_data(Marks("first")))
    assert home.read().marks.name == "first"
    home.end("1.train")
    best = to_data(Marks("best", ("good",)))
    home.runs.mark(1, best)
    assert (home.read().marks.name, home.read().marks.tags) == ("best", ("good",))
    record = json.loads(home.output(1, "run.json").read_text())
    assert from_data(record["marks"]) == Marks("best", ("good",))


def test_jobs_outlive_their_controller(home: ControlledHome) -> None:
    home.start(SET)
    home.end("1.train", status=1)
    home.start(repeated(1), Growth(1, 2))
    before = home.running()
    assert len(before) == 3
    home.restart()
    # Nothing was started twice.
    assert len(home.jobs.started) == 4
    assert sorted(home.running()) == ["1.train", "2.train", "3.train"]
    home.end("1.train", "2.train")
    assert states(home.read()) == ["FINISHED", "FINISHED", "RUNNING"]


def test_a_controller_finds_what_ended_without_it(home: ControlledHome) -> None:
    home.start(SET)
    first, second = home.running()["1.train"], home.running()["2.train"]
    first.end(0)
    second.end(5)
    home.restart()
    run = home.read()
    assert states(run) == ["FINISHED", "FAILED", "RUNNING"]
    assert run.experiments[1].exit_code == 5


def test_a_damaged_workflow_ends_and_its_set_goes_on(home: ControlledHome) -> None:
    home.start(SET)
    home.end("1.train", "2.train", status=1)
    home.end("3.train")
    home.start(repeated(1), Growth(1, 2))
    (key,) = home.store.shards(1)
    with home.store.transaction():
        home.store.update_run(key, document="{")
    home.restart()
    run = home.read()
    assert (run.state, states(run)) == (State.FAILED, ["FAILED", "FAILED", "FINISHED"])
    assert home.store.shards(1) == []


def test_a_damaged_run_ends_as_failed(home: ControlledHome) -> None:
    home.start(single())
    with home.store.transaction():
        home.store.update_run(1, document="{")
    home.restart()
    row = home.store.summary(1)
    assert row is not None
    assert (row["state"], row["ended"]) == ("FAILED", 1)


def test_a_supervisor_that_was_killed_before_its_job_began_starts_it_again(
    home: ControlledHome,
) -> None:
    home.start(single())
    home.end("1.train", status=None)
    assert len(home.jobs.started) == 2
    home.end("1.train")
    (experiment,) = home.read().experiments
    assert (experiment.state, experiment.attempt) == (State.FINISHED, 0)


def test_a_job_whose_supervisor_was_killed_fails(home: ControlledHome) -> None:
    home.start(single())
    job = home.running()["1.train"]
    with job.record.open("a") as record:
        record.write("begun\n")
    home.end("1.train", status=None)
    (experiment,) = home.read().experiments
    assert experiment.state is State.FAILED
    assert "the job's supervisor was killed" in experiment.message


def test_launches_that_fail_are_repeated(
    home: ControlledHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.jobs.failures = 1
    home.start(single())
    assert (home.running(), home.read().state) == ({}, State.PENDING)
    monkeypatch.setattr(home.runs._starts._launches, "_paused_until", 0.0)
    home.settle()
    assert home.read().state is State.RUNNING


def test_experiments_wait_for_the_machine(home: ControlledHome) -> None:
    large = Resources(Decimal(12))
    home.start(single(job_resources=large))
    home.start(single(job_resources=large))
    assert home.read(2).state is State.PENDING
    home.end("1.train")
    assert home.read(2).state is State.RUNNING


def test_the_same_submission_is_recorded_once(home: ControlledHome) -> None:
    token = uuid.uuid4().hex
    first = home.start(SET, token=token)
    again = home.start(SET, token=token, again=True)
    assert (first["number"], again["number"]) == (1, 1)
    assert home.store.numbers() == {1}


@pytest.mark.parametrize(
    ("plan", "error", "message"),
    [
        (
            single(("cp /data/x .",)),
            UnsupportedError,
            "this machine allows no mounts, and a run line names /data: cp /data/x .",
        ),
        (single(secrets=("TOKEN",)), InvalidInputError, "TOKEN"),
        (
            single(job_resources=Resources(Decimal(32))),
            RiseMLError,
            "cpus: 32 requested, this machine has 16",
        ),
    ],
)
def test_what_this_machine_cannot_run_is_not_recorded(
    plan: ExperimentSet, error: type[Exception], message: str, home: ControlledHome
) -> None:
    with pytest.raises(error) as caught:
        home.start(plan)
    assert message in str(caught.value)
    assert home.store.numbers() == set()
    assert home.start(single())["number"] == 1


def test_a_workflow_runs_as_it_is(home: ControlledHome) -> None:
    home.start(single())
    home.end("1.train")
    document = home.reader.get(home.reader.latest())
    del document["status"]
    document["metadata"]["name"] = "copy"
    assert home.submitter.submit(document, {"environment": {}}) == "copy"
    with pytest.raises(InvalidInputError, match="already a run named copy"):
        home.submitter.submit(document, {"environment": {}})
    home.settle()
    assert home.read(2).name == "copy"
