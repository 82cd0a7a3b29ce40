"""Command `riseml tag`."""

from typing import Annotated

from riseml import phrases
from riseml.cli import output
from riseml.cli.parameters import Argument, Option
from riseml.client.client import Client

RunIds = Annotated[
    list[str],
    Argument(
        metavar="ID", show_default=False, help="Runs to tag, or whose tags to show."
    ),
]
Added = Annotated[
    list[str] | None,
    Option("-a", "--add", metavar="TAG", help="Add a tag; can be repeated."),
]
Removed = Annotated[
    list[str] | None,
    Option("-r", "--remove", metavar="TAG", help="Remove a tag."),
]
Name = Annotated[
    str | None,
    Option(
        "--name", metavar="NAME", show_default=False, help='Name the run; "": no name.'
    ),
]


def command(
    ids: RunIds,
    add: Added = None,
    remove: Removed = None,
    name: Name = None,
) -> None:
    """Tag and name runs, or show their tags.

    Commands that take the id of a run also take its name.

    Examples:
      riseml tag 14 15 --add paper --remove draft
      riseml tag 14 --name baseline
      riseml status -a --tag paper
    """
    changed = Client().mark(*ids, name=name, add=add or (), remove=remove or ())
    for run, marked in changed.items():
        output.say(f"{run}: {phrases.named(marked) or 'no tags'}")
