"""Ages, durations, sizes and values as people read them; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def plural(count: int, noun: str) -> str:
    """Return `1 day`, `2 days`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in its largest unit; `just now`, or `-` where it was never."""
    if since is None:
        return "-"
    seconds = int((now - since).total_seconds())
    for unit, size in _UNITS:
        if seconds >= size:
            return plural(seconds // size, unit)
    return "just now"


def duration(started: datetime | None, finished: datetime | None, now: datetime) -> str:
    """Return `1h 2m 3s`, `2m 3s` or `3 seconds`; up to now while unfinished, `-` where not started."""
    if started is None:
        return "-"
    return span((finished or now) - started)


def span(length: timedelta) -> str:
    """Return a length of time as `1h 2m 3s`, `2m 3s` or `3 seconds`."""
    seconds = max(0, int(length.total_seconds()))
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours}h {minutes}m {rest}s"
    return f"{minutes}m {rest}s" if minutes else plural(rest, "second")


def moment(time: datetime | None) -> str | None:
    """Return an instant in UTC as `2018-01-31T10:20:30Z`."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def value(item: Any) -> str:
    """Return one reported value: numbers with five digits, as the original did, else its text."""
    if isinstance(item, bool) or not isinstance(item, int | float):
        return item if isinstance(item, str) else _plain(item)
    return f"{item:.5G}"


def exact(item: Any) -> str:
    """Return one reported value with all its digits."""
    return item if isinstance(item, str) else "" if item is None else _plain(item)


def pairs(items: Mapping[str, Any] | None) -> str:
    """Return `a=1, b=x`, sorted by name."""
    return (
        ", ".join(f"{name}={value(items[name])}" for name in sorted(items))
        if items
        else ""
    )


def size(count: int) -> str:
    """Return a number of bytes as `1.5 MB`, in steps of 1024 as the original did."""
    for unit, scale in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def _plain(item: Any) -> str:
    if item is None:
        return "-"
    import json

    return json.dumps(item, ensure_ascii=False, default=str)
