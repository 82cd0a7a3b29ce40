"""Command `riseml wait`."""

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
            help="Stop waiting after 90s, 10m, 1h.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Wait until runs have ended; the exit status is their outcome.

    Without an id, the command waits for the newest run. Exit statuses: 0 all finished,
    100 any failed, 103 any was killed, 124 timed out.

    Examples:
      riseml wait 14 && cp -r "$OUTPUT" results
      riseml wait 14 15 --timeout 2h
    """
    limit = options.parse_duration(timeout) if timeout is not None else None
    statuses = Client().wait(*(ids or ()), timeout=limit)
    # All have ended by now; the order is that of the ids.
    for status in statuses:
        output.say(outcome.describe(status))
    return outcome.exit_status(statuses)
