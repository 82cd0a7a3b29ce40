"""Launches that fail: when the next attempt follows, and when the reason is shown."""

import pytest

from riseml.engines.local.controller import launches
from riseml.engines.local.controller.launches import Launches


class Clock:
    """Clock that only moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(launches, "time", clock)
    return clock


def test_attempts_become_rarer_and_the_reason_is_shown_after_30_seconds(
    clock: Clock,
) -> None:
    outcome = Launches()
    pauses: list[float] = []
    failed_for = 0.0
    while not outcome.reason:
        assert not outcome.are_paused
        pauses.append(outcome.fail("the launcher was killed"))
        assert outcome.are_failing
        assert outcome.are_paused
        failed_for = clock.now - 1000.0
        clock.now += pauses[-1]
    assert pauses[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert set(pauses[6:-1]) == {2.0}
    assert pauses[-1] == 10.0
    assert 30.0 <= failed_for <= 32.0
    assert outcome.reason == "NotLaunched: the launcher was killed"
    assert outcome.fail("Cannot allocate memory") == 10.0
    assert outcome.reason == "NotLaunched: Cannot allocate memory"


def test_a_launch_that_succeeds_ends_the_wait(clock: Clock) -> None:
    outcome = Launches()
    outcome.fail("x")
    clock.now += 60
    outcome.fail("x")
    outcome.succeed()
    assert outcome.reason == ""
    assert not outcome.are_failing
    assert outcome.fail("x") == 0.1
    assert outcome.reason == ""
