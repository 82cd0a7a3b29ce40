"""Ages, durations, sizes and values as people read them, on a screen and in a report; pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from riseml.plan import GitState, Marks

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
# Seconds of a minute, and minutes of an hour
_MINUTE = 60
# A larger whole number is rather the value of a formula than a count.
_LARGEST_COUNT = 1e7
_ROUGH_DAY_HOURS = 48
# RiseML 1 called 1024 bytes a KB.
_SIZES = (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10))
_MEMORY_UNITS = (
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
)
# From here on, a decimal says nothing.
_EXACT = 100
# Below, one decimal says too little.
_TENTH = 0.1
# Before, the speed says little about the rest.
_MIN_SECONDS = 1.0


def plural(count: int, noun: str) -> str:
    """Return `1 day`, `2 days`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def counts(states: Mapping[Any, int]) -> str:
    """Return `1 running, 2 failed` without the states of no experiment."""
    return ", ".join(
        f"{count} {state.lower()}" for state, count in states.items() if count
    )


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago an event was, in the largest unit.

    The text is `just now` below a second, and `-` if the event has not happened.
    """
    if since is None:
        return "-"
    seconds = int((now - since).total_seconds())
    for unit, length in _UNITS:
        if seconds >= length:
            return plural(seconds // length, unit)
    return "just now"


def duration(started: datetime | None, finished: datetime | None, now: datetime) -> str:
    """Return how long something ran, or has been running; `-` if it has not started."""
    if started is None:
        return "-"
    return span((finished or now) - started)


def span(length: timedelta) -> str:
    """Return a length of time as `1h 2m 3s`, `2m 3s` or `3 seconds`."""
    # The clock of a cluster may be ahead of ours.
    total = max(0, int(length.total_seconds()))
    minutes, seconds = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m {seconds}s"
    return f"{minutes}m {seconds}s" if minutes else plural(seconds, "second")


def time_left(share: float, seconds: float) -> str:
    """Return `4 seconds left` for a step of which a share took so long, "" too early."""
    if seconds < _MIN_SECONDS or not 0 < share < 1:
        return ""
    # Rounded up: the end is never later than announced.
    rest = timedelta(seconds=seconds / share * (1 - share) + 1)
    return f"{span(rest)} left"


def local_time(time: datetime | None) -> str | None:
    """Return an instant for people: `2018-01-31 11:20:30 CET`, in the local time zone."""
    return None if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def rough(length: timedelta) -> str:
    """Return a length of time that is only known roughly: `40 s`, `5 min`, `1 h 20 min`, `2 days`."""
    seconds = max(1, int(length.total_seconds()))
    if seconds < _MINUTE:
        return f"{seconds} s"
    minutes = round(seconds / _MINUTE)
    hours, minutes_of_hour = divmod(minutes, _MINUTE)
    if hours >= _ROUGH_DAY_HOURS:
        return f"{round(hours / 24)} days"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes_of_hour} min" if minutes_of_hour else f"{hours} h"


def moment(time: datetime | None) -> str | None:
    """Return an instant for programs: `2018-01-31T10:20:30Z`, in UTC."""
    # `strftime` takes ten times as long, and data has several times for each job.
    return None if time is None else f"{time.astimezone(UTC).isoformat()[:19]}Z"


def value(item: Any) -> str:
    """Return a reported value; numbers have five digits, as in RiseML 1, and counts have all."""
    if isinstance(item, str):
        return item
    if isinstance(item, bool) or not isinstance(item, int | float):
        return _json(item)
    try:
        # A whole number may be longer than any other.
        is_finite = math.isfinite(item)
    except OverflowError:
        is_finite = False
    if not is_finite:
        return _json(item)
    if item == int(item) and abs(item) < _LARGEST_COUNT:
        return f"{item:.0f}"
    return f"{item:.5G}"


def exact(item: Any) -> str:
    """Return a reported value with all its digits."""
    if item is None:
        return ""
    return item if isinstance(item, str) else _json(item)


def pairs(items: Mapping[str, Any] | None) -> str:
    """Return `a=1, b=x`, sorted by name."""
    if not items:
        return ""
    return ", ".join(f"{name}={value(items[name])}" for name in sorted(items))


def size(count: int) -> str:
    """Return a number of bytes as `1.5 MB`, in steps of 1024."""
    for unit, scale in _SIZES:
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"


def memory(count: float) -> str:
    """Return a number of bytes as `1.6 GB` or `128 MB`, in steps of 1000 as in riseml.yml."""
    for unit, scale in _MEMORY_UNITS:
        if count >= scale:
            digits = 0 if count >= _EXACT * scale else 1
            return f"{count / scale:.{digits}f} {unit}".replace(".0 ", " ")
    return f"{int(count)} B"


def cores(count: float) -> str:
    """Return a number of cores as `1.6`, `2` or `0.04`."""
    digits = 1 if count >= _TENTH else 2
    return f"{count:.{digits}f}".removesuffix(".00").removesuffix(".0")


def _json(item: Any) -> str:
    if item is None:
        return "-"
    # Few screens show a value that is neither text nor a number.
    import json  # noqa: PLC0415

    return json.dumps(item, ensure_ascii=False, default=str)


def changes(git: GitState) -> str:
    """Return what follows a commit: whether files of the project differed from it."""
    words = {True: ", with changes", False: "", None: ", changes not known"}
    return words[git.dirty]


def named(marked: Marks) -> str:
    """Return the name and the tags of a run on one line: `baseline #good #paper`."""
    tags = map("#{}".format, marked.tags)
    return " ".join(filter(None, (marked.name, *tags)))
