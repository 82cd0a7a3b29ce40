"""Command `riseml retry`."""

from typing import Annotated

from riseml.cli import growth, options, output
from riseml.cli.parameters import Argument, Option
from riseml.client import project_folder
from riseml.client.client import Client
from riseml.client.repeat_types import FolderCode, Grown


def command(
    ids: Annotated[
        list[str] | None,
        Argument(
            metavar="ID",
            show_default=False,
            help="A run, or experiments of a set. Default: the newest run.",
        ),
    ] = None,
    failed: Annotated[
        bool, Option("--failed", help="Repeat only those that failed.")
    ] = False,
    missing: Annotated[
        bool,
        Option(
            "--missing", help="Repeat only those that were killed, also before a start."
        ),
    ] = False,
    new_code: Annotated[
        bool,
        Option(
            "--new-code",
            help="Run the code and configuration in this folder, not the set's.",
        ),
    ] = False,
    yes: options.Yes = False,
    output_format: options.OutputFormat = "table",
) -> int:
    """Repeat experiments that ended without finishing, in their set.

    They keep their numbers and output folders, and run the code of the set. The
    attempts before stay visible in `riseml status ID` and `riseml logs ID`. What has
    finished is never repeated, and what has not ended goes on. With --new-code, the
    command asks first if experiments would run other code than before.

    Examples:
      riseml retry 14
      riseml retry 14 --failed
      riseml retry 14.3 14.5
      riseml retry 14 --new-code
    """
    client, names = Client(), ids or ()

    def start(other_code: bool) -> Grown:
        folder = FolderCode(project_folder.config_file()) if new_code else None
        return client.retry(
            *names,
            failed=failed,
            missing=missing,
            folder=folder,
            other_code=other_code,
        )

    grown = growth.confirmed(start, yes=yes)
    if grown is None:
        output.note("Nothing was started.")
        return 1
    growth.write(grown, output_format, "Repeating {} of set")
    return 0
