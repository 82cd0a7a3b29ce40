"""Command `riseml ls`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from riseml import phrases
from riseml.cli import formats, options, output
from riseml.cli.documents import Document, Time
from riseml.cli.parameters import Argument, Option
from riseml.cli.table import Column
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.storage.volume import Entry

_VOLUMES = ["data://", "output://", "code://"]
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
        Argument(
            metavar="URI",
            show_default=False,
            help="data://…, output://… or code://ID/…",
        ),
    ] = None,
    hidden: Annotated[
        bool,
        Option("-a", "--all", help="Also RiseML's own files: logs, results."),
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
        # There is nothing to ask the engine for.
        records = list(map(_volume_record, _VOLUMES))
        rows = [["", "STORAGE", name] for name in _VOLUMES]
    else:
        entries = Client().ls(uri, hidden=hidden)
        records = list(map(_record, entries))
        rows = list(map(_row, entries))
    data = formats.of_records(records, FileRecord, "name")
    formats.write_table(data, _COLUMNS, output_format, rows=rows, no_headers=no_headers)


def _volume_record(name: str) -> FileRecord:
    return {"name": name, "type": "volume", "size": None, "modified": None}


def _modified(entry: "Entry") -> datetime:
    return datetime.fromtimestamp(entry.modified, UTC)


def _row(entry: "Entry") -> list[str]:
    # Local time is for people, and UTC for programs.
    time = phrases.local_time(_modified(entry)) or ""
    name = output.printable(entry.name)
    if entry.is_folder:
        return [time, "DIR", f"{name}/"]
    return [time, str(entry.size), name]


def _record(entry: "Entry") -> FileRecord:
    return {
        "name": output.printable(entry.name),
        "type": "folder" if entry.is_folder else "file",
        "size": None if entry.is_folder else entry.size,
        "modified": phrases.moment(_modified(entry)),
    }
