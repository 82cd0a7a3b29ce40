"""Options that several commands take, and words turned into values."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from riseml.errors import InvalidInputError

ConfigFile = Annotated[
    str, typer.Option("-f", "--config-file", metavar="FILE", help="The file to use.")
]
OneId = Annotated[
    str | None,
    typer.Argument(metavar="ID", show_default=False, help="Without one: the newest."),
]
ManyIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", show_default=False, help="Experiments or sets."),
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
NoHeaders = Annotated[
    bool, typer.Option("--no-headers", help="Leave the line of titles out.")
]
Reading = Annotated[
    Literal["table", "wide", "json", "yaml", "csv", "name"],
    typer.Option(
        "-o", "--output", metavar="FORMAT", help="table, wide, json, yaml, csv or name."
    ),
]

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def duration(text: str) -> timedelta:
    """Read `90`, `90s`, `10m`, `1h30m`, `14d`, `2w`.

    Raises:
        InvalidInputError: it is none.
    """
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        seconds = float(text)
    elif _DURATION.fullmatch(text):
        seconds = sum(
            float(number) * _UNITS[unit] for number, unit in _PART.findall(text)
        )
    else:
        raise InvalidInputError(
            f"'{text}' is no duration",
            "Write a number with a unit: 90s, 10m, 1h30m, 14d.",
        )
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidInputError(
            f"'{text}' is too long", "Write a number with a unit: 90s, 10m, 1h30m, 14d."
        ) from None


def instant(text: str, now: datetime) -> datetime:
    """Read a point in time: an ISO date and time (local where it names no zone), or a duration ago.

    Raises:
        InvalidInputError: it is none.
    """
    try:
        time = datetime.fromisoformat(text) if not text.isdecimal() else None
    except ValueError:
        time = None
    if time is not None:
        return (time if time.tzinfo else time.astimezone()).astimezone(UTC)
    try:
        return now - duration(text)
    except (InvalidInputError, OverflowError):
        advice = "Write how long ago (10m, 2h, 1d) or an instant such as 2018-01-31T10:20:30Z."
        raise InvalidInputError(f"'{text}' is no point in time", advice) from None
