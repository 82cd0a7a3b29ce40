"""Command `riseml note`."""

from typing import Annotated

from riseml.cli import output
from riseml.cli.parameters import Argument
from riseml.cli.table import clean
from riseml.client.client import Client

RunId = Annotated[
    str, Argument(metavar="ID", show_default=False, help="A run, or its name.")
]
Text = Annotated[
    str | None,
    Argument(metavar="TEXT", show_default=False, help='The note; "" removes it.'),
]


def command(id: RunId, note: Text = None) -> None:
    """Write a note about a run, or show it.

    Examples:
      riseml note 14 "lr too high from epoch 3 on"
      riseml note baseline
    """
    ((run, marked),) = Client().mark(id, note=note).items()
    if note is not None:
        return
    if marked.note:
        output.say(clean(marked.note))
    else:
        output.note(f"{run} has no note; `riseml note {run} TEXT` writes one.")
