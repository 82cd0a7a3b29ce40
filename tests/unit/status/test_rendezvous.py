"""Experiments of several jobs, none of which runs a command before all have started."""

import pytest

from riseml.status import ExperimentStatus, JobStatus, State, rendezvous

FULL = "pods is forbidden: exceeded quota: team"
BLANK = ExperimentStatus("17")


def job(type_: str, state: State, reason: str = "", message: str = "") -> JobStatus:
    return JobStatus(f"17.{type_}", type_, state=state, reason=reason, message=message)


MASTER = job("master", State.RUNNING)
PS = job("ps", State.RUNNING)


@pytest.mark.parametrize(
    ("worker", "state", "reason", "message"),
    [
        (
            job("worker", State.PENDING, "QUOTA", FULL),
            "PENDING",
            "QUOTA",
            f"17.worker: {FULL}",
        ),
        (
            job("worker", State.STARTING, "IMAGE", "ErrImagePull"),
            "STARTING",
            "IMAGE",
            "17.worker: ErrImagePull",
        ),
        (job("worker", State.PENDING), "PENDING", "GANG", "waits for 17.worker"),
        (job("worker", State.CREATED), "PENDING", "GANG", "waits for 17.worker"),
    ],
)
def test_an_experiment_waits_for_the_job_that_has_not_started(
    worker: JobStatus, state: str, reason: str, message: str
) -> None:
    jobs = [MASTER, worker, PS]
    assert rendezvous.is_awaited(jobs)
    experiment = rendezvous.awaited(BLANK, jobs)
    assert (experiment.state, experiment.reason) == (state, reason)
    assert experiment.message == message
    master, same, ps = experiment.jobs
    for member in (master, ps):
        assert (member.state, member.reason) == ("STARTING", "GANG")
        assert member.message == "waits for 17.worker"
        assert member.started is None
    assert same is worker


@pytest.mark.parametrize(
    "worker",
    [
        job("worker", State.RUNNING),
        job("worker", State.FAILED, "ERROR"),
        job("worker", State.RUNNING, "STOPPING"),
        job("worker", State.PENDING, "RETRY"),
        job("tensorboard", State.PENDING),
    ],
)
def test_after_the_rendezvous_nobody_waits(worker: JobStatus) -> None:
    assert not rendezvous.is_awaited([MASTER, worker])


def test_a_single_job_and_a_gang_without_a_start_wait_for_nobody() -> None:
    assert not rendezvous.is_awaited([MASTER])
    waiting = job("master", State.PENDING)
    assert not rendezvous.is_awaited([waiting, job("ps", State.STARTING)])
