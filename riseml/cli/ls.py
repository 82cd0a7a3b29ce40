"""`riseml ls`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from riseml.cli import options, output, table, terminal, text
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.storage.volume import Entry

_VOLUMES = ["data://", "output://"]

Uri = Annotated[
    str | None,
    typer.Argument(metavar="URI", show_default=False, help="data://… or output://…"),
]


def command(
    uri: Uri = None,
    hidden: Annotated[
        bool,
        typer.Option(
            "-a", "--all", help="Also what RiseML keeps there: logs, results."
        ),
    ] = False,
    form: options.Reading = "table",
    no_headers: options.NoHeaders = False,
) -> None:
    """List files that jobs see as /data and /output.

    `output://~` is the folder of the project that you are in; in it each run has one, named by its number.

    Examples:
      riseml ls data://
      riseml ls output://~/14/3
    """
    entries = Client().ls(uri, hidden=hidden) if uri is not None else []
    if form in {"json", "yaml"}:
        output.data(
            [_record(entry) for entry in entries] if uri is not None else _VOLUMES, form
        )
        return
    shown = (
        [_row(entry) for entry in entries]
        if uri is not None
        else [["", "STORAGE", name] for name in _VOLUMES]
    )
    if form == "name":
        output.lines(row[-1] for row in shown)
        return
    titles = ["MODIFIED", "SIZE", "NAME"]
    if form == "csv":
        output.csv(titles, shown)
        return
    columns = [
        table.Column(titles[0], 20),
        table.Column(titles[1], 14, right=True),
        table.Column(titles[2]),
    ]
    output.lines(
        table.render(columns, shown, terminal.output(), headers=not no_headers)
    )


def _row(entry: "Entry") -> list[str]:
    modified = (
        datetime.fromtimestamp(entry.modified)
        .astimezone()
        .strftime("%Y-%m-%d %H:%M:%S")
    )
    name = f"{entry.name}/" if entry.is_folder else entry.name
    return [modified, "DIR" if entry.is_folder else str(entry.size), output.shown(name)]


def _record(entry: "Entry") -> dict[str, object]:
    return {
        "name": output.shown(entry.name),
        "type": "folder" if entry.is_folder else "file",
        "size": None if entry.is_folder else entry.size,
        "modified": text.moment(datetime.fromtimestamp(entry.modified, UTC)),
    }
