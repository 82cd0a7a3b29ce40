"""Command `riseml ls`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

import typer

from riseml.cli import options, output, report, text
from riseml.cli.documents import Document, Time
from riseml.cli.table import Column
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.storage.volume import Entry

_VOLUMES = ["data://", "output://", "code://"]
_TITLES = ("MODIFIED", "SIZE", "NAME")
_COLUMNS = (Column("MODIFIED", 24), Column("SIZE", 14, right=True), Column("NAME"))


class FileRecord(TypedDict):
    """A file or folder, or without an argument a volume."""

    name: str
    type: Literal["file", "folder", "volume"]
    size: int | None
    """In bytes; null for a folder or volume."""
    modified: Time | None
    """Null for a volume."""


DOCUMENTS = {"ls": Document(list[FileRecord])}


def command(
    uri: Annotated[
        str | None,
        typer.Argument(
            metavar="URI",
            show_default=False,
            help="data://…, output://… or code://ID/…",
        ),
    ] = None,
    hidden: Annotated[
        bool,
        typer.Option("-a", "--all", help="Also RiseML's own files: logs, results."),
    ] = False,
    output_format: options.OutputFormat = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """List what jobs see as /data and /output, and the code of runs.

    `output://~` is the folder of the project in the current directory. It contains a
    folder for each run, named by the run's number. `code://14` is the code that run 14
    was started with.

    Examples:
      riseml ls data://
      riseml ls output://~/14/3
      riseml ls code://14
    """
    if uri is None:
        data = _volumes()
    else:
        is_for_people = report.is_for_people(output_format)
        data = _files(Client().ls(uri, hidden=hidden), is_local=is_for_people)
    report.write_table(data, _COLUMNS, output_format, no_headers=no_headers)


# Without a URI there is nothing to ask the engine for.
def _volumes() -> report.Data:
    rows, records = [], list[FileRecord]()
    for name in _VOLUMES:
        rows.append(["", "STORAGE", name])
        records.append({"name": name, "type": "volume", "size": None, "modified": None})
    return report.Data(records, _VOLUMES, _TITLES, rows)


def _files(entries: "list[Entry]", *, is_local: bool) -> report.Data:
    # Local time is for people, and UTC for programs.
    format_time = text.local_time if is_local else text.moment
    rows = [_row(entry, format_time(_modified(entry)) or "") for entry in entries]
    records = list(map(_record, entries))
    return report.Data(records, [row[-1] for row in rows], _TITLES, rows)


def _modified(entry: "Entry") -> datetime:
    return datetime.fromtimestamp(entry.modified, UTC)


def _row(entry: "Entry", time: str) -> list[str]:
    name = output.printable(entry.name)
    if entry.is_folder:
        return [time, "DIR", f"{name}/"]
    return [time, str(entry.size), name]


def _record(entry: "Entry") -> FileRecord:
    return {
        "name": output.printable(entry.name),
        "type": "folder" if entry.is_folder else "file",
        "size": None if entry.is_folder else entry.size,
        "modified": text.moment(_modified(entry)),
    }
