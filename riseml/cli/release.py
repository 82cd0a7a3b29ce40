"""Command `riseml release`."""

from typing import Annotated

from riseml.cli import output
from riseml.cli.parameters import Argument
from riseml.client.client import Client


def command(
    ids: Annotated[
        list[str] | None,
        Argument(metavar="ID", show_default=False, help="Runs, experiments or jobs."),
    ] = None,
) -> None:
    """Release jobs that are held after a failure.

    A job of a riseml.yml with `hold_on_failure` keeps its container, or its processes on
    this machine, for that time when it has failed. This command ends the hold of all held
    jobs of runs, experiments or jobs. Without an id, those of the newest run are released.

    Examples:
      riseml release 14         all held jobs of a run
      riseml release 14.3 15    those of an experiment, and of another run
    """
    for job in Client().release(*(ids or ())):
        output.say(f"released {job}")
