"""Events of Kubernetes: when one happened, and what it says."""

from collections.abc import Mapping
from typing import Any


def time_of(event: Mapping[str, Any]) -> str:
    """Return when an event last happened, as Kubernetes writes it; empty if that is unknown."""
    times = map(event.get, ("lastTimestamp", "eventTime", "firstTimestamp"))
    return str(next(filter(None, times), ""))


def line_of(event: Mapping[str, Any]) -> str:
    """Return the reason and the message of an event in one line."""
    words = f"{event.get('reason', '')}: {event.get('message', '')}".split()
    return " ".join(words)
