"""Ages, durations, sizes and values as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from riseml import phrases
from riseml.plan import Marks

NOW = datetime(2018, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "age", "span"),
    [
        (-5, "just now", "0 seconds"),
        (0, "just now", "0 seconds"),
        (0.9, "just now", "0 seconds"),
        (1, "1 second", "1 second"),
        (59, "59 seconds", "59 seconds"),
        (60, "1 minute", "1m 0s"),
        (3599, "59 minutes", "59m 59s"),
        (3600, "1 hour", "1h 0m 0s"),
        (86_399, "23 hours", "23h 59m 59s"),
        (86_400, "1 day", "24h 0m 0s"),
        (200 * 86_400, "200 days", "4800h 0m 0s"),
    ],
)
def test_ages_and_durations(seconds: float, age: str, span: str) -> None:
    since = NOW - timedelta(seconds=seconds)
    assert phrases.age(since, NOW) == age
    assert phrases.duration(since, None, NOW) == span
    assert phrases.duration(since, NOW, NOW + timedelta(days=1)) == span


def test_what_has_not_started_has_no_age_or_duration() -> None:
    assert (
        phrases.age(None, NOW),
        phrases.duration(None, None, NOW),
        phrases.moment(None),
    ) == (
        "-",
        "-",
        None,
    )


@pytest.mark.parametrize(
    ("value", "expected", "exact"),
    [
        (0.912345678, "0.91235", "0.912345678"),
        (1e-7, "1E-07", "1e-07"),
        (123456789, "1.2346E+08", "123456789"),
        (3, "3", "3"),
        (800000, "800000", "800000"),
        (True, "true", "true"),
        (None, "-", ""),
        ("räk", "räk", "räk"),
        ([1, {"a": "ü"}], '[1, {"a": "ü"}]', '[1, {"a": "ü"}]'),
        (float("nan"), "NaN", "NaN"),
        (10**400, f"1{'0' * 400}", f"1{'0' * 400}"),
        (float("-inf"), "-Infinity", "-Infinity"),
    ],
)
def test_values(value: object, expected: str, exact: str) -> None:
    assert (phrases.value(value), phrases.exact(value)) == (expected, exact)


def test_pairs_are_sorted() -> None:
    assert phrases.pairs({"b": 0.5, "a": "x"}) == "a=x, b=0.5"
    assert phrases.pairs(None) == phrases.pairs({}) == ""


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (5 << 20, "5.0 MB"),
        (3 << 29, "1.5 GB"),
    ],
)
def test_sizes(count: int, expected: str) -> None:
    assert phrases.size(count) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "1 h"),
        (4800, "1 h 20 min"),
        (47 * 3600, "47 h"),
        (49 * 3600, "2 days"),
    ],
)
def test_rough_lengths_of_time(seconds: float, text: str) -> None:
    assert phrases.rough(timedelta(seconds=seconds)) == text


def test_counts_leave_out_states_of_no_experiment() -> None:
    assert phrases.counts({"RUNNING": 1, "FAILED": 0, "KILLED": 2}) == (
        "1 running, 2 killed"
    )


def test_a_run_is_named_with_its_tags() -> None:
    assert phrases.named(Marks("baseline", ("good", "paper"))) == (
        "baseline #good #paper"
    )
    assert phrases.named(Marks("", ("good",))) == "#good"
