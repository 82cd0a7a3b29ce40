"""Durations and instants as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from riseml.cli import options
from riseml.errors import InvalidInputError

NOW = datetime(2018, 1, 31, 12, tzinfo=UTC)


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
