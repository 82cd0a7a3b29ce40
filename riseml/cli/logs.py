"""`riseml logs`."""

import re
from typing import Annotated

import typer

from riseml import ids
from riseml.cli import clock, follow, options
from riseml.client.client import Client
from riseml.errors import InvalidInputError


def command(
    id: options.OneId = None,
    follow_: Annotated[
        bool,
        typer.Option(
            "-f", "--follow/--no-follow", help="Go on until everything has ended."
        ),
    ] = True,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail",
            metavar="N",
            min=0,
            show_default=False,
            help="The last N lines of each job.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Not older than 10m, 2h, 1d, or an instant.",
            show_default=False,
        ),
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(
            "--grep", metavar="REGEX", help="Only lines that match.", show_default=False
        ),
    ] = None,
) -> None:
    """Print and follow the logs of jobs.

    Of an experiment, a set, or one job; Ctrl-C ends the view, never the run. One job's log comes without prefixes.

    Examples:
      riseml logs                       the newest run
      riseml logs 14.3 --tail 20        an experiment of a set
      riseml logs 14.worker.2 --grep loss --no-follow
    """
    client = Client()
    wanted = ids.parse(id) if id is not None else client.engine.latest()
    pattern = _pattern(grep)
    oldest = options.instant(since, clock.now()) if since else None
    names = list(follow.job_names(client.status(wanted)))
    try:
        events = client.logs(wanted, follow=follow_, tail=tail, since=oldest)
        follow.show(
            events, names, only=names[0] if wanted.kind == "job" else None, grep=pattern
        )
    except KeyboardInterrupt:
        follow.detach(str(wanted.experiment))


def _pattern(text: str | None) -> re.Pattern[bytes] | None:
    try:
        return re.compile(text.encode()) if text is not None else None
    except re.error as error:
        raise InvalidInputError(f"'{text}' is no regular expression: {error}") from None
