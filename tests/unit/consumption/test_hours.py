"""Hours that jobs have had: attempts, windows, running jobs, and jobs that never ran."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from riseml.consumption.hours import Hours, Window, of_run
from riseml.plan import Resources
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
WINDOW = Window(NOW)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def job(begun: float | None, ended: float | None, **values: Any) -> JobStatus:
    """Return a job with four cores and a GPU that began and ended so many hours ago."""
    fields: dict[str, Any] = {
        "state": State.RUNNING if ended is None else State.FINISHED,
        "exit_code": None if ended is None else 0,
        "created": ago(100),
        "started": None if begun is None else ago(begun),
        "finished": None if ended is None else ago(ended),
        "resources": Resources(Decimal(4), 1, 1),
        **values,
    }
    return JobStatus("1.train", "train", **fields)


def run(*jobs: JobStatus, own: tuple[JobStatus, ...] = ()) -> SetStatus:
    experiment = ExperimentStatus("1", jobs=jobs)
    return SetStatus("1", experiments=(experiment,), jobs=own)


def hours(*jobs: JobStatus, window: Window = WINDOW) -> Hours:
    return of_run(run(*jobs), window)


def test_time_is_multiplied_by_what_was_requested() -> None:
    assert hours(job(5, 3)) == Hours(2.0, 8.0)


def test_a_share_of_a_gpu_counts_as_the_share() -> None:
    shared = job(5, 3, resources=Resources(Decimal(1), 1, Decimal("0.25")))
    assert hours(shared) == Hours(0.5, 2.0)


def test_a_running_job_counts_until_now() -> None:
    assert hours(job(1.5, None)) == Hours(1.5, 6.0)


def test_all_jobs_and_those_of_the_run_count() -> None:
    build = replace(job(3, 2), resources=Resources(Decimal(1), 1, 0))
    assert of_run(run(job(5, 3), job(5, 4), own=(build,)), WINDOW) == Hours(3.0, 13.0)


def test_earlier_attempts_count_and_the_time_between_does_not() -> None:
    earlier = (job(9, 8, state=State.FAILED, exit_code=1), job(6, 5.5, exit_code=1))
    assert hours(replace(job(3, 2), earlier=earlier)) == Hours(2.5, 10.0)


@pytest.mark.parametrize(
    ("since", "expected"), [(6, 2.0), (4, 1.0), (3, 0.0), (1, 0.0)]
)
def test_a_window_cuts_a_job(since: float, expected: float) -> None:
    assert hours(job(5, 3), window=Window(NOW, ago(since))).gpus == expected


def test_a_job_that_never_ran_has_no_hours() -> None:
    waiting = job(None, None, state=State.PENDING)
    killed = job(100, 3, state=State.KILLED, exit_code=None)
    assert hours(waiting, killed) == Hours(0.0, 0.0)


def test_a_killed_job_that_ran_counts_even_without_an_exit_code() -> None:
    assert hours(job(5, 3, state=State.KILLED, exit_code=None)) == Hours(2.0, 8.0)


def test_a_job_that_waits_for_its_next_attempt_counts_for_its_earlier_ones() -> None:
    between = job(5, None, state=State.PENDING, reason="RETRY", exit_code=1)
    earlier = (job(9, 8, exit_code=1),)
    assert hours(replace(between, earlier=earlier)) == Hours(1.0, 4.0)


def test_a_job_without_an_end_ended_with_its_experiment() -> None:
    lost = job(5, None, state=State.FAILED, exit_code=1)
    experiment = ExperimentStatus("1", jobs=(lost,), finished=ago(4))
    assert of_run(SetStatus("1", experiments=(experiment,)), WINDOW).gpus == 1.0


def test_clocks_that_differ_give_no_negative_hours() -> None:
    assert hours(job(-1, None)) == Hours(0.0, 0.0)
