"""`riseml rm`."""

from typing import Annotated

import typer

from riseml.cli import options, output, table, text
from riseml.client.client import Client


def command(
    uris: Annotated[
        list[str],
        typer.Argument(
            metavar="URI", show_default=False, help="data://… or output://…"
        ),
    ],
    yes: options.Yes = False,
) -> None:
    """Delete files that jobs see as /data and /output.

    Folders with all that is in them; asks on a terminal. `riseml delete` forgets a whole run, with its logs and its
    place in the lists.

    Examples:
      riseml rm output://~/14/3/checkpoints
      riseml rm data://old-images -y
    """
    client = Client()
    found = [
        (
            str(place),
            _shown(place)
            + (
                f" ({text.plural(files, 'file')}, {text.size(size)})"
                if entry.is_folder
                else ""
            ),
        )
        for place, entry, files, size in client.removable(*uris)
    ]
    if (
        not yes
        and output.can_ask()
        and not output.ask(f"Delete {', '.join(said for _, said in found)}?")
    ):
        output.note("Nothing was deleted.")
        return
    for name, said in found:
        client.rm(name)
        output.say(f"deleted {said}")


def _shown(place: object) -> str:
    return table.clean(output.printable(str(place)))
