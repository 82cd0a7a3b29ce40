"""Marks of jobs that do not use their GPUs."""

from dataclasses import replace
from decimal import Decimal

import pytest

from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, idleness

RUNNING = JobStatus(
    "14.3.train", "train", state=State.RUNNING, resources=Resources(gpus=1), attempt=1
)


def marked(job: JobStatus, name: str = "train.1") -> tuple[str, str]:
    experiment = ExperimentStatus("14.3", 3, State.RUNNING, jobs=(job,))
    (after,) = idleness.with_marks(experiment, {name: 5400}).jobs
    return after.reason, after.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('{"idle": 900}\n', 900),
        ('{"idle": 900}', 900),
        ("", None),
        ('{"idle": 9', None),
        ('{"idle": -9}', None),
    ],
)
def test_a_file_names_seconds(text: str, seconds: int | None) -> None:
    assert idleness.read(text) == seconds


def test_the_running_attempt_is_marked() -> None:
    assert marked(RUNNING) == ("IDLE", "its GPUs have been idle for 1 h 30 min")
    # The file of an attempt that was ended by force remains.
    assert marked(RUNNING, "train.0") == ("", "")
    assert marked(RUNNING, "worker.1") == ("", "")


@pytest.mark.parametrize(
    "job",
    [
        replace(RUNNING, state=State.FAILED, reason="ERROR", message="exit code 1"),
        replace(RUNNING, reason="HELD", message="failed with exit code 1"),
        replace(RUNNING, state=State.PENDING, reason="RETRY", message=""),
        replace(RUNNING, resources=Resources(Decimal(1))),
        replace(RUNNING, resources=None),
    ],
)
def test_other_jobs_are_not_marked(job: JobStatus) -> None:
    assert marked(job) == (job.reason, job.message)
    experiment = ExperimentStatus("14.3", 3, State.RUNNING, jobs=(job,))
    assert not idleness.may_be_idle(experiment)


def test_an_experiment_has_the_mark_of_one_of_its_jobs() -> None:
    worker = replace(RUNNING, id="14.3.worker.2", type="worker", index=2, attempt=0)
    experiment = ExperimentStatus("14.3", 3, State.RUNNING, jobs=(RUNNING, worker))
    after = idleness.with_marks(experiment, {"worker.2.0": 60})
    assert (after.reason, after.message) == ("IDLE", after.jobs[1].message)
    assert after.jobs[0] == RUNNING


def test_a_run_names_its_idle_experiments() -> None:
    experiments = []
    for sub in range(1, 9):
        experiment = ExperimentStatus(f"14.{sub}", sub, State.RUNNING)
        if sub != 2:
            experiment = replace(experiment, reason="IDLE", message="its GPUs …")
        experiments.append(experiment)
    run = SetStatus("14", is_set=True, state=State.RUNNING)
    several = idleness.with_mark(run, experiments)
    assert (several.reason, several.message) == (
        "IDLE",
        "7 experiments without use of GPUs: 14.1, 14.3, 14.4, 14.5, 14.6, …",
    )
    assert idleness.with_mark(run, experiments[1:2]) == run
    ended = replace(run, state=State.FINISHED)
    assert idleness.with_mark(ended, experiments) == ended
    single = replace(run, is_set=False)
    assert idleness.with_mark(single, experiments[:1]).message == "its GPUs …"
