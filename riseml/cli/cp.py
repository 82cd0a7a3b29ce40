"""`riseml cp`."""

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riseml.cli import output, table, terminal, text
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.storage.transfer import Copied, Item

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SRC", show_default=False, help="Paths, data://…, output://…."
    ),
]
Target = Annotated[
    str, typer.Argument(metavar="DEST", show_default=False, help="The same: where to.")
]


def command(sources: Sources, target: Target) -> None:
    """Copy files to and from what jobs see as /data and /output.

    Of folders all that is in them. One file goes under the name of DEST, unless that is a folder. What is there
    already, byte for byte, is left alone; a copy that was cut off goes on where it stopped when it is called again.
    Links are left out, and what RiseML keeps in .riseml unless you name it.

    Examples:
      riseml cp images.zip data://images/
      riseml cp output://~/14/3/model.pt .
      riseml cp output://~/14 results/14
    """
    from riseml.storage.transfer import Copied

    report = Copied()
    with (
        _bars(report, target) if terminal.of(sys.stderr).interactive else _lines(report)
    ):
        try:
            Client().cp(sources, target, report)
        except BaseException:
            if report.began:
                output.note("The same command goes on where it stopped.")
            raise
    kept = (
        f"; {text.plural(len(report.unchanged), 'file')} left alone, they were there already"
        if report.unchanged
        else ""
    )
    output.note(
        f"Copied {text.plural(report.files, 'file')}, {text.size(report.bytes)}{kept}."
    )


def _lines(report: "Copied") -> "AbstractContextManager[None]":
    """Say of each file that it is copied."""
    report.on_file = lambda item: output.note(f"Copying {_name(item)}")
    return nullcontext()


def _bars(report: "Copied", target: str) -> "AbstractContextManager[Any]":
    """Show how far all of it is, and which file is on its way."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = shown.add_task(target, total=None)
    report.begin = lambda size: shown.update(task, total=size)
    report.on_file = lambda item: shown.update(task, description=_name(item))
    report.on_bytes = lambda count: shown.advance(task, count)
    return shown


def _name(item: "Item") -> str:
    return table.clean(output.shown(item.name))
