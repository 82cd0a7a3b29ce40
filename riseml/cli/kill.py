"""`riseml kill`."""

from typing import Annotated

import typer

from riseml.cli import options, output
from riseml.client.client import Client


def command(
    ids: options.ManyIds = None,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Also clear what does not answer.")
    ] = False,
) -> None:
    """Stop runs or experiments.

    Without an id: the newest run. What ended before keeps its state, and so do the other experiments of a set.

    Examples:
      riseml kill 14          a run
      riseml kill 14.3 14.5   experiments of a set
    """
    for killed in Client().kill(*(ids or ()), force=force):
        if killed.stopped:
            output.say(
                f"killed {'series' if killed.is_set else 'experiment'} {killed.id}"
            )
        else:
            output.note(f"experiment {killed.id} has ended already: {killed.state}")
