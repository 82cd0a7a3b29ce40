"""Command `riseml retry`."""

from typing import Annotated

import typer

from riseml.cli import growth, options
from riseml.client.client import Client


def command(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            show_default=False,
            help="A run, or experiments of a set. Default: the newest run.",
        ),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Repeat only those that failed.")
    ] = False,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing", help="Repeat only those that were killed, also before a start."
        ),
    ] = False,
    output_format: options.OutputFormat = "table",
) -> None:
    """Repeat experiments that have ended without finishing, as part of their set.

    They keep their numbers and output folders, and run the code of the set. The
    attempts before stay visible in `riseml status ID` and `riseml logs ID`. What has
    finished is never repeated, and what has not ended goes on.

    Examples:
      riseml retry 14
      riseml retry 14 --failed
      riseml retry 14.3 14.5
    """
    grown = Client().retry(*(ids or ()), failed=failed, missing=missing)
    growth.write(grown, output_format, "Repeating")
