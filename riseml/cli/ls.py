"""Command `riseml ls`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from riseml.cli import options, output, report, text
from riseml.cli.table import Column
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.storage.volume import Entry

_VOLUMES = ["data://", "output://"]
_TITLES = ("MODIFIED", "SIZE", "NAME")
_COLUMNS = (Column("MODIFIED", 20), Column("SIZE", 14, right=True), Column("NAME"))


def command(
    uri: Annotated[
        str | None,
        typer.Argument(
            metavar="URI", show_default=False, help="data://… or output://…"
        ),
    ] = None,
    hidden: Annotated[
        bool,
        typer.Option("-a", "--all", help="Also RiseML's own files: logs, results."),
    ] = False,
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """List files that jobs see as /data and /output.

    `output://~` is the folder of the project in the current directory. It contains a
    folder for each run, named by the run's number.

    Examples:
      riseml ls data://
      riseml ls output://~/14/3
    """
    if uri is None:
        data = _volumes()
    else:
        data = _files(Client().ls(uri, hidden=hidden))
    report.write_table(data, _COLUMNS, output_format, no_headers=no_headers)


# Without a URI there is nothing to ask the engine for.
def _volumes() -> report.Data:
    rows = [["", "STORAGE", name] for name in _VOLUMES]
    return report.Data(_VOLUMES, _VOLUMES, _TITLES, rows)


def _files(entries: "list[Entry]") -> report.Data:
    rows = list(map(_row, entries))
    records = list(map(_record, entries))
    return report.Data(records, [row[-1] for row in rows], _TITLES, rows)


def _row(entry: "Entry") -> list[str]:
    # Local time is for people; `_record` has UTC for programs.
    modified = datetime.fromtimestamp(entry.modified).astimezone()
    name = output.printable(entry.name)
    time = modified.strftime("%Y-%m-%d %H:%M:%S")
    if entry.is_folder:
        return [time, "DIR", f"{name}/"]
    return [time, str(entry.size), name]


def _record(entry: "Entry") -> dict[str, object]:
    return {
        "name": output.printable(entry.name),
        "type": "folder" if entry.is_folder else "file",
        "size": None if entry.is_folder else entry.size,
        "modified": text.moment(datetime.fromtimestamp(entry.modified, UTC)),
    }
