"""Command `riseml prune`."""

from datetime import timedelta
from typing import Annotated

from riseml import phrases
from riseml.cli import clock, listing, options, output, terminal
from riseml.cli.parameters import Option
from riseml.client.client import Client
from riseml.status import SetStatus


def command(
    older_than: Annotated[
        str,
        Option(
            "--older-than",
            metavar="DURATION",
            help="Delete runs that ended longer ago than this: 12h, 14d.",
        ),
    ],
    dry_run: Annotated[
        bool,
        Option("--dry-run", help="List what would be deleted; delete nothing."),
    ] = False,
    yes: options.Yes = False,
) -> None:
    """Delete runs that ended long ago, and unused builds.

    Runs are deleted with their records, logs and output. Build environments, images and
    code that no run uses are removed as well; the command says what it keeps, and why.
    On a terminal, it asks first. Elsewhere it needs -y.

    Examples:
      riseml prune --older-than 14d --dry-run
      riseml prune --older-than 30d -y
    """
    client = Client()
    age = options.parse_duration(older_than)
    runs = client.prune(age, dry_run=True)
    # Scripts do not read the list, and the question makes no sense without it.
    asks = not yes and output.can_ask()
    if not runs:
        output.note(f"Nothing ended more than {older_than} ago.")
    elif dry_run or asks:
        output.lines(listing.lines(runs, terminal.stdout(), clock.now()))
    if dry_run:
        return
    if runs:
        question = f"Delete {phrases.plural(len(runs), 'run')} with logs and output?"
        if not output.confirm(question, yes=yes):
            output.note("Nothing was deleted.")
            return
    _delete(client, runs, age)


def _delete(client: Client, runs: list[SetStatus], age: timedelta) -> None:
    for name in client.delete(*(run.id for run in runs)):
        output.say(f"deleted {name}")
    # Builds of the deleted runs may be unused only now.
    pruned = client.prune_unused(age)
    if pruned.builds:
        builds = phrases.plural(pruned.builds, client.engine.build_noun)
        output.note(f"Removed {builds} that no run has used since.")
    output.notes(pruned.notes)
