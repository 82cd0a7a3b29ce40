"""Schedules that Argo accepts, and those that it would never run."""

import pytest

from riseml.client import cron_schedule


@pytest.mark.parametrize(
    "schedule",
    [
        "0 3 * * *",
        "*/5 0-6 1,15 JAN-MAR MON",
        " TZ=Europe/Berlin 59 23 31 12 6 ",
        "CRON_TZ=UTC @daily",
        "@every 1h30m",
        "5/10 ? ? * ?",
    ],
)
def test_schedules_that_argo_accepts(schedule: str) -> None:
    assert cron_schedule.is_valid(schedule)


@pytest.mark.parametrize(
    "schedule",
    [
        "", "every day", "99 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7",
        "* * * *", "* * * * * *", "*/0 * * * *", "1-60 * * * *", "@often", "a b c d e",
    ],
)  # fmt: skip
def test_schedules_that_argo_would_never_run(schedule: str) -> None:
    assert not cron_schedule.is_valid(schedule)
