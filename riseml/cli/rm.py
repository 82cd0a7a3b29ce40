"""Command `riseml rm`."""

from typing import TYPE_CHECKING, Annotated

from riseml import phrases
from riseml.cli import options, output, table
from riseml.cli.parameters import Argument
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.storage.volume import Entry


def command(
    uris: Annotated[
        list[str],
        Argument(metavar="URI", show_default=False, help="data://… or output://…"),
    ],
    yes: options.Yes = False,
) -> None:
    """Delete files that jobs see as /data and /output.

    Folders are deleted with everything in them. On a terminal, the command asks first.
    Elsewhere it needs -y.
    `riseml delete` deletes a run completely, with its logs and its record.

    Examples:
      riseml rm output://~/14/3/checkpoints
      riseml rm data://old-images -y
    """
    client = Client()
    # The question names all addresses, so all are looked up before anything is deleted.
    targets = {}
    for location, entry, files, size in client.removable(*uris):
        targets[str(location)] = _describe(str(location), entry, files, size)
    if not output.confirm(f"Delete {', '.join(targets.values())}?", yes=yes):
        output.note("Nothing was deleted.")
        return
    for address, description in targets.items():
        client.rm(address)
        output.say(f"deleted {description}")


def _describe(address: str, entry: "Entry", files: int, size: int) -> str:
    name = table.clean(output.printable(address))
    if not entry.is_folder:
        return name
    return f"{name} ({phrases.plural(files, 'file')}, {phrases.size(size)})"
