"""Jobs that are held: what the file says, and what it makes of the status."""

from datetime import UTC, datetime

import pytest

from riseml import labels
from riseml.status import ExperimentStatus, JobStatus, State, held
from riseml.status.held import Hold

UNTIL = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOLD = Hold(1, 3, UNTIL)


def experiment(**fields: object) -> ExperimentStatus:
    values = {"state": State.RUNNING, "attempt": 1, "holds": True, **fields}
    worker = JobStatus("1.worker.2", "worker", 2, **values)  # type: ignore[arg-type]
    master = JobStatus("1.master", "master", state=State.RUNNING, attempt=1, holds=True)
    return ExperimentStatus("1", state=State.RUNNING, jobs=(master, worker))


def test_a_line_says_attempt_exit_code_and_end() -> None:
    line = f"1 3 {int(UNTIL.timestamp()) - 60} {int(UNTIL.timestamp())}\n"
    assert held.read(line) == HOLD


@pytest.mark.parametrize("text", ["", "1 3 5", "1 3 5 6", "1 3 5 6\n7", "-1 3 5 6\n"])
def test_an_incomplete_line_says_nothing(text: str) -> None:
    assert held.read(text) is None


def test_the_job_of_a_hold_and_its_experiment_are_held() -> None:
    status = held.with_holds(experiment(), {"worker.2": HOLD})
    master, worker = status.jobs
    assert (master.reason, master.held_until) == ("", None)
    for part in (worker, status):
        assert (part.state, part.reason) == (State.RUNNING, "HELD")
        assert (part.exit_code, part.held_until) == (3, UNTIL)
        assert part.message == "failed with exit code 3"
    assert status.guilty == "1.worker.2"


@pytest.mark.parametrize(
    "fields",
    [
        {"attempt": 2},
        {"state": State.PENDING, "reason": "RETRY"},
        {"state": State.FAILED},
        {"state": State.CREATED},
    ],
)
def test_a_file_that_another_attempt_has_left_counts_for_nothing(
    fields: dict[str, object],
) -> None:
    unchanged = experiment(**fields)
    assert held.with_holds(unchanged, {"worker.2": HOLD}) == unchanged


def test_a_pod_that_argo_still_calls_pending_may_be_held() -> None:
    status = held.with_holds(experiment(state=State.PENDING), {"worker.2": HOLD})
    assert status.jobs[1].state is State.RUNNING


def test_files_are_read_only_for_active_experiments_that_may_hold() -> None:
    assert held.may_be_held(experiment())
    plain = JobStatus("1.train", "train", state=State.RUNNING)
    running = ExperimentStatus("1", state=State.RUNNING, jobs=(plain,))
    ended = ExperimentStatus("1", state=State.FAILED, jobs=experiment().jobs)
    assert not held.may_be_held(running)
    assert not held.may_be_held(ended)


@pytest.mark.parametrize(
    ("output", "was_held", "is_timeout"),
    [("", False, False), ("60", True, False), ("60 timeout", True, True)],
)
def test_an_ended_job_says_whether_it_was_held(
    output: str, was_held: bool, is_timeout: bool
) -> None:
    parameter = {"name": labels.HELD, "value": output}
    node = {"outputs": {"parameters": [parameter]}}
    assert held.was_held(node) == was_held
    assert held.is_timeout(node) == is_timeout
    assert not held.was_held({})
