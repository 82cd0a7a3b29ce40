"""Command `riseml kill`."""

from typing import Annotated

from riseml.cli import options, output
from riseml.cli.parameters import Option
from riseml.client.client import Client


def command(
    ids: options.ManyIds = None,
    force: Annotated[
        bool,
        Option("-f", "--force", help="Also clean up what does not respond."),
    ] = False,
) -> None:
    """Stop runs or experiments.

    Without an id, the newest run is stopped. What has already ended keeps its state.
    The other experiments of a set continue.

    Examples:
      riseml kill 14          a run
      riseml kill 14.3 14.5   experiments of a set
    """
    for killed in Client().kill(*(ids or ()), force=force):
        noun = "set" if killed.is_set else "experiment"
        if killed.stopped:
            output.say(f"killed {noun} {killed.id}")
        else:
            # That a run ended a moment earlier is not an error.
            output.note(f"{noun} {killed.id} has already ended: {killed.state}")
