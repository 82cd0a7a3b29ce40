"""Options that several commands take, and the parsers of their values."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from riseml.cli import arguments, output
from riseml.client import project_folder
from riseml.errors import InvalidInputError


def _find_config_file(context: typer.Context, path: str) -> str:
    """Return the file that the user names, else that of the project around the current folder."""
    source = context.get_parameter_source("config_file")
    if source is not None and source.name == "COMMANDLINE":
        return path
    # The arguments of some commands name the file.
    if arguments.names_file(context.params.get("words")):
        return path
    found = project_folder.config_file()
    if found != project_folder.CONFIG_FILE:
        output.note(f"Using {found}.")
    return found


ConfigFile = Annotated[
    str,
    typer.Option(
        "-f",
        "--config-file",
        metavar="FILE",
        help="The configuration to use.",
        callback=_find_config_file,
    ),
]
OneId = Annotated[
    str | None,
    typer.Argument(metavar="ID", show_default=False, help="Default: the newest run."),
]
ManyIds = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ID", show_default=False, help="Runs, or experiments of sets."
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Only runs with all these tags."),
]
Yes = Annotated[
    bool, typer.Option("-y", "--yes", help="Do not ask; needed without a terminal.")
]
NoHeaders = Annotated[
    bool, typer.Option("--no-headers", help="Leave out the column titles.")
]
OutputFormat = Annotated[
    Literal["table", "wide", "json", "yaml", "csv", "name"],
    typer.Option(
        "-o", "--output", metavar="FORMAT", help="table, wide, json, yaml, csv or name."
    ),
]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NUMBER = r"\d+(?:\.\d+)?"
_DURATION = re.compile(rf"(?:{_NUMBER}[smhdw])+")
_DURATION_TERM = re.compile(rf"({_NUMBER})([smhdw])")
_DURATION_ADVICE = "Write a number with a unit: 90s, 10m, 1h30m, 14d."


def parse_duration(text: str) -> timedelta:
    """Parse `90`, `90s`, `10m`, `1h30m`, `14d` or `2w`.

    Raises:
        InvalidInputError: the text is not a duration, or it is too long.
    """
    if re.fullmatch(_NUMBER, text):
        seconds = float(text)
    elif _DURATION.fullmatch(text):
        seconds = 0.0
        for number, unit in _DURATION_TERM.findall(text):
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
