"""Ages, durations and values as people read and write them."""

from datetime import UTC, datetime, timedelta

import pytest

from riseml.cli import options, text
from riseml.errors import InvalidInputError

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
    assert text.age(since, NOW) == age
    assert text.duration(since, None, NOW) == span
    assert text.duration(since, NOW, NOW + timedelta(days=1)) == span


def test_what_has_not_started_has_no_age_or_duration() -> None:
    assert (text.age(None, NOW), text.duration(None, None, NOW), text.moment(None)) == (
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
    assert (text.value(value), text.exact(value)) == (expected, exact)


def test_pairs_are_sorted() -> None:
    assert text.pairs({"b": 0.5, "a": "x"}) == "a=x, b=0.5"
    assert text.pairs(None) == text.pairs({}) == ""


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
    assert text.size(count) == expected


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("1h30m", 5400),
        ("14d", 14 * 86_400),
        ("0s", 0),
    ],
)
def test_parse_duration(word: str, seconds: float) -> None:
    assert options.parse_duration(word) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "word", ["", "soon", "-5s", "5 m", "5y", "9999999999999d", "1e5", "²"]
)
def test_invalid_durations(word: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        options.parse_duration(word)
    assert "14d" in caught.value.advice


def test_parse_instant() -> None:
    assert options.parse_instant("10m", NOW) == NOW - timedelta(minutes=10)
    assert options.parse_instant("2018-01-31T10:20:30Z", NOW) == datetime(
        2018, 1, 31, 10, 20, 30, tzinfo=UTC
    )
    assert options.parse_instant("2018-01-31", NOW).tzinfo is UTC
    assert options.parse_instant("20", NOW) == NOW - timedelta(seconds=20)
    for word in ("", "yesterday", "99999999d", "2018-13-01"):
        with pytest.raises(InvalidInputError):
            options.parse_instant(word, NOW)
