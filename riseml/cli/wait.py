"""`riseml wait`."""

from typing import Annotated

import typer

from riseml.cli import options, outcome, output
from riseml.client.client import Client


def command(
    ids: options.ManyIds = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            help="Give up after 90s, 10m, 1h.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Wait until runs have ended; the exit status is their outcome.

    0 where all have finished, 100 where any failed, 103 where any was killed, 124 when the time is over.
    Without an id: the newest run.

    Examples:
      riseml wait 14 && cp -r "$OUTPUT" results
      riseml wait 14 15 --timeout 2h
    """
    limit = options.parse_duration(timeout) if timeout is not None else None
    ended = Client().wait(*(ids or ()), timeout=limit)
    for status in ended:
        output.say(outcome.describe(status))
    return outcome.exit_status(ended)
