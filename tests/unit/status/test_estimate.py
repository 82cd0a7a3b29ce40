"""Time left of experiments and sets: known values, and nothing where nothing is known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, estimate

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def running(ran: float, **values: Any) -> ExperimentStatus:
    return ExperimentStatus(
        "1", state=State.RUNNING, started=NOW - minutes(ran), **values
    )


def finished(took: float, state: State = State.FINISHED) -> ExperimentStatus:
    start = NOW - minutes(60)
    return ExperimentStatus(
        "1", state=state, started=start, finished=start + minutes(took)
    )


def waiting(state: State = State.CREATED) -> ExperimentStatus:
    return ExperimentStatus("1", state=state)


def left(*experiments: ExperimentStatus) -> timedelta | None:
    return estimate.of_set(SetStatus("1", is_set=True, experiments=experiments), NOW)


def test_the_rest_takes_as_long_as_the_past() -> None:
    assert estimate.of_experiment(running(6, progress=(3, 10)), NOW) == minutes(14)


def test_time_since_the_last_report_counts_for_the_rest() -> None:
    # Each tenth took two minutes, and the next one has already run for one.
    experiment = running(7, progress=(3, 10), progressed=NOW - minutes(1))
    assert estimate.of_experiment(experiment, NOW) == minutes(13)


@pytest.mark.parametrize("reported", [NOW + minutes(5), NOW - minutes(500)])
def test_the_clock_of_a_volume_may_be_wrong(reported: datetime) -> None:
    experiment = running(6, progress=(3, 10), progressed=reported)
    assert estimate.of_experiment(experiment, NOW) == minutes(14)


def test_only_the_present_attempt_counts() -> None:
    jobs = (
        JobStatus("1.train", "train", state=State.RUNNING, started=NOW - minutes(2)),
    )
    experiment = running(60, progress=(1, 2), jobs=jobs)
    assert estimate.running_since(experiment) == NOW - minutes(2)
    assert estimate.of_experiment(experiment, NOW) == minutes(2)


@pytest.mark.parametrize(
    "experiment",
    [
        running(6),
        running(6, progress=(0, 10)),
        # It has not reported for longer than all its steps should have taken.
        running(60, progress=(9, 10), progressed=NOW - minutes(30)),
        waiting(),
        finished(3),
    ],
)
def test_nothing_is_said_where_nothing_is_known(experiment: ExperimentStatus) -> None:
    assert estimate.of_experiment(experiment, NOW) is None


def test_a_set_takes_the_mean_of_finished_experiments() -> None:
    # Two at once: 6 and 2 minutes for the running ones, eight for each one that waits.
    experiments = [finished(6), finished(10), running(2), running(6)]
    assert left(*experiments, *[waiting()] * 4) == minutes(20)


def test_failed_experiments_say_nothing_about_durations() -> None:
    failed = [finished(1, State.FAILED), finished(1, State.KILLED)]
    assert left(*failed, running(2), waiting()) is None
    assert left(*failed, finished(8), running(2)) == minutes(6)


def test_progress_of_running_experiments_counts_first() -> None:
    assert left(running(6, progress=(3, 10))) == minutes(14)
    assert left(finished(100), running(6, progress=(3, 10))) == minutes(14)


def test_the_longest_running_experiment_decides_at_the_end() -> None:
    assert left(finished(10), running(1), running(9)) == minutes(9)


def test_a_set_without_running_experiments_has_no_estimate() -> None:
    assert left(finished(6), waiting(State.PENDING)) is None
    assert left() is None
