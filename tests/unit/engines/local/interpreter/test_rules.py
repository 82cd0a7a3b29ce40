"""Rules of Argo."""

import pytest

from riseml.engines.local.interpreter.rules import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 seconds"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute 0 seconds"),
        (150, "2 minutes 30 seconds"),
        (5400, "1 hour 30 minutes"),
        (90_000, "1 day 1 hours"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
