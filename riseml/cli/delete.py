"""Command `riseml delete`."""

from typing import Annotated

from riseml.cli import options, output
from riseml.cli.parameters import Argument, Option
from riseml.client.client import Client


def command(
    ids: Annotated[
        list[str],
        Argument(metavar="ID", show_default=False, help="Ended runs."),
    ],
    kill: Annotated[
        bool, Option("--kill", help="First kill runs that have not ended.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Delete ended runs with their logs and output.

    An experiment of a set cannot be deleted alone. On a terminal, the command asks
    first. Elsewhere it needs -y.

    Examples:
      riseml delete 14
      riseml delete 12 13 -y
      riseml delete 16 --kill
    """
    client = Client()
    # All ids are checked before the first run is deleted.
    runs = client.deletable(*ids, kill=kill)
    names = ", ".join(f"{run.id} ({run.project}, {run.state})" for run in runs)
    if not output.confirm(f"Delete {names} with logs and output?", yes=yes):
        output.note("Nothing was deleted.")
        return
    for name in client.delete(*(run.id for run in runs), kill=kill):
        output.say(f"deleted {name}")
