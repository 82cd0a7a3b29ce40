"""Events of Kubernetes."""

from riseml import events


def test_the_last_time_counts() -> None:
    assert events.time_of({"firstTimestamp": "a", "lastTimestamp": "b"}) == "b"
    assert events.time_of({"lastTimestamp": None, "eventTime": "c"}) == "c"
    assert events.time_of({}) == ""


def test_an_event_is_one_line() -> None:
    event = {"reason": "FailedMount", "message": "no\n  volume"}
    assert events.line_of(event) == "FailedMount: no volume"
