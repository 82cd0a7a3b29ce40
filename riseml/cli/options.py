"""Options that several commands take, and the parsers of their values."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from riseml.cli import arguments, output
from riseml.cli.parameters import Argument, Option
from riseml.client import project_folder
from riseml.errors import InvalidInputError


def _find_config_file(values: Mapping[str, Any]) -> str:
    """Return the file of the project around the current folder."""
    # The arguments of some commands name the file.
    if arguments.names_file(values.get("words")):
        return project_folder.CONFIG_FILE
    found = project_folder.config_file()
    if found != project_folder.CONFIG_FILE:
        output.note(f"Using {found}.")
    return found


ConfigFile = Annotated[
    str,
    Option(
        "-f",
        "--config-file",
        metavar="FILE",
        help="The configuration to use.",
        find_default=_find_config_file,
    ),
]
OneId = Annotated[
    str | None,
    Argument(metavar="ID", show_default=False, help="Default: the newest run."),
]
ManyIds = Annotated[
    list[str] | None,
    Argument(metavar="ID", show_default=False, help="Runs, or experiments of sets."),
]
Tags = Annotated[
    list[str] | None,
    Option("--tag", metavar="TAG", help="Only runs with all these tags."),
]
Yes = Annotated[
    bool,
    Option(
        "-y", "--yes", help="Do not ask; without a terminal, a question is an error."
    ),
]
NoHeaders = Annotated[bool, Option("--no-headers", help="Leave out the column titles.")]
OutputFormat = Annotated[
    Literal["table", "wide", "json", "yaml", "csv", "name"],
    Option(
        "-o", "--output", metavar="FORMAT", help="table, wide, json, yaml, csv or name."
    ),
]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = rf"(?:{_NUMBER}[smhdw])+"
_DURATION_TERM = rf"({_NUMBER})([smhdw])"
_DURATION_ADVICE = "Write a number with a unit: 90s, 10m, 1h30m, 14d."


def parse_duration(text: str) -> timedelta:
    """Parse `90`, `90s`, `10m`, `1h30m`, `14d` or `2w`.

    Raises:
        InvalidInputError: the text is not a duration, or it is too long.
    """
    if re.fullmatch(_NUMBER, text):
        seconds = float(text)
    elif re.fullmatch(_DURATION, text):
        seconds = 0.0
        for number, unit in re.findall(_DURATION_TERM, text):
            seconds += float(number) * _SECONDS[unit]
    else:
        raise InvalidInputError(f"'{text}' is not a duration", _DURATION_ADVICE)
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        message = f"the duration '{text}' is too long"
        raise InvalidInputError(message, _DURATION_ADVICE) from None


def parse_instant(text: str, now: datetime) -> datetime:
    """Parse a point in time: an ISO date and time, or how long ago it was.

    A time without a zone is local.

    Raises:
        InvalidInputError: the text is neither.
    """
    time = _parse_time(text)
    if time is not None:
        return time
    try:
        return now - parse_duration(text)
    except (InvalidInputError, OverflowError):
        advice = "Write how long ago (10m, 2h, 1d) or an instant such as 2018-01-31T10:20:30Z."
        raise InvalidInputError(f"'{text}' is not a point in time", advice) from None


def _parse_time(text: str) -> datetime | None:
    # fromisoformat() reads `20180131` as a date; here digits are a number of seconds.
    if text.isdecimal():
        return None
    try:
        # A time without a zone becomes a local one.
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
