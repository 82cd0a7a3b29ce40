"""`riseml prune`."""

from typing import Annotated

import typer

from riseml.cli import clock, listing, options, output, terminal, text
from riseml.client.client import Client


def command(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="DURATION", help="What ended longer ago than this."
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and delete nothing.")
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Delete runs that ended long ago, and unused builds.

    Record, logs and output of whole runs; asks on a terminal. Environments and
    images of install steps that nothing has used since, and code that no run
    is of, go, too, unless something runs.

    Examples:
      riseml prune --older-than 14d --dry-run
      riseml prune --older-than 30d -y
    """
    client = Client()
    age = options.duration(older_than)
    old = client.prune(age, dry_run=True)
    if not old:
        output.note(f"Nothing ended more than {older_than} ago.")
    asking = not yes and output.can_ask()
    if old and (dry_run or asking):
        output.lines(listing.lines(old, terminal.output(), clock.now()))
    if dry_run:
        return
    if (
        old
        and asking
        and not output.ask(
            f"Delete {text.plural(len(old), 'run')} with logs and output?"
        )
    ):
        output.note("Nothing was deleted.")
        return
    for name in client.delete(*(run.id for run in old)):
        output.say(f"deleted {name}")
    if unused := client.prune_unused(age):
        builds = text.plural(unused, client.engine.build_noun)
        output.note(f"Removed {builds} that nothing has used since.")
