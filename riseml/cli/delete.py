"""`riseml delete`."""

from typing import Annotated

import typer

from riseml.cli import options, output
from riseml.client.client import Client


def command(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="ID", show_default=False, help="Experiments or sets."),
    ],
    yes: options.Yes = False,
) -> None:
    """Delete ended runs with their logs and output.

    Whole runs only; asks on a terminal.

    Examples:
      riseml delete 14
      riseml delete 12 13 -y
    """
    client = Client()
    found = client.deletable(*ids)
    if not yes and output.can_ask():
        names = ", ".join(f"{run.id} ({run.project}, {run.state})" for run in found)
        if not output.ask(f"Delete {names} with logs and output?"):
            output.note("Nothing was deleted.")
            return
    for name in client.delete(*(run.id for run in found)):
        output.say(f"deleted {name}")
