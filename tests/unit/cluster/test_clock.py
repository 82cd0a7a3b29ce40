"""Clock of a cluster: the answers of its API server tell the time, whatever this machine's clock says."""

from datetime import UTC, datetime, timedelta

import pytest

from riseml import corrected_time
from riseml.cluster.clock import ClusterClock

MINUTES = timedelta(minutes=10)
NOON = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


def answer(time: datetime) -> dict[str, str]:
    """Return the headers of an answer at this time, which is cut to the second."""
    return {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT")}


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose only item is what this machine says since its start."""
    seconds = [1000.0]
    monkeypatch.setattr("riseml.cluster.clock.time.monotonic", lambda: seconds[0])
    return seconds


def test_an_answer_sets_the_time_and_it_goes_on(passed: list[float]) -> None:
    cluster = ClusterClock()
    cluster.observe(answer(NOON))
    passed[0] += 90.25
    assert cluster.now() == NOON + timedelta(seconds=90.25)


def test_of_several_answers_the_latest_time_counts(passed: list[float]) -> None:
    cluster = ClusterClock()
    # These two were sent 0.9 s and 0.1 s after a full second.
    cluster.observe(answer(NOON + timedelta(seconds=0.9)))
    passed[0] += 1.2
    cluster.observe(answer(NOON + timedelta(seconds=2.1)))
    assert cluster.now() == NOON + timedelta(seconds=2)
    passed[0] += 0.8
    cluster.observe(answer(NOON + timedelta(seconds=2.9)))
    assert cluster.now() == NOON + timedelta(seconds=2.8)


def test_a_cluster_whose_clock_was_set_back_is_followed(passed: list[float]) -> None:
    cluster = ClusterClock()
    cluster.observe(answer(NOON))
    cluster.observe(answer(NOON - timedelta(minutes=10)))
    assert cluster.now() == NOON - timedelta(minutes=10)


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}])
def test_without_an_answer_it_is_the_time_of_this_machine(
    headers: dict[str, str],
) -> None:
    cluster = ClusterClock()
    cluster.observe(headers)
    assert abs(cluster.now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("wrong", [-MINUTES, MINUTES])
def test_a_command_follows_the_clock_of_its_cluster(wrong: timedelta) -> None:
    ClusterClock().observe(answer(datetime.now(UTC) + wrong))
    lag = corrected_time.now() - datetime.now(UTC)
    assert abs(lag - wrong) < timedelta(seconds=5)


def test_answers_that_are_dated_to_the_second_correct_nothing() -> None:
    ClusterClock().observe(answer(datetime.now(UTC)))
    assert corrected_time._Correction.lag == timedelta(0)
