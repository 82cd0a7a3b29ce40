"""Command `riseml cp`."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

from riseml import phrases
from riseml.cli import output, table, terminal
from riseml.cli.parameters import Argument
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.storage.transfer import CopyReport, Item

Sources = Annotated[
    list[str],
    Argument(
        metavar="SRC",
        show_default=False,
        help="Paths, data://…, output://… or code://ID/….",
    ),
]
Destination = Annotated[
    str,
    Argument(
        metavar="DEST", show_default=False, help="A path, data://… or output://…."
    ),
]


def command(sources: Sources, destination: Destination) -> None:
    """Copy files to and from /data and /output, and the code of runs.

    Folders are copied recursively. A single file is copied to DEST, or into it if DEST
    is a folder. Identical files are not copied again, and the same command resumes an
    interrupted copy. Links are skipped, except those of code, and so are RiseML's own
    files in .riseml unless you name that folder. `code://14` is the code that run 14 was
    started with; it can only be read.

    Examples:
      riseml cp images.zip data://images/
      riseml cp output://~/14/3/model.pt .
      riseml cp output://~/14 results/14
      riseml cp code://14/train.py .
    """
    from riseml.storage.transfer import CopyReport

    report = CopyReport()
    is_interactive = terminal.inspect(sys.stderr).interactive
    progress = _bar(report, destination) if is_interactive else _lines(report)
    with progress:
        try:
            Client().cp(sources, destination, report)
        # Ctrl-C interrupts a copy, too.
        except BaseException:
            if report.began:
                output.note("Run the same command again to resume the copy.")
            raise
    output.note(_summary(report))


def _summary(report: "CopyReport") -> str:
    files = phrases.plural(report.files, "file")
    summary = f"Copied {files}, {phrases.size(report.bytes)}"
    if report.unchanged:
        unchanged = phrases.plural(len(report.unchanged), "identical file")
        summary += f"; skipped {unchanged}"
    return f"{summary}."


def _lines(report: "CopyReport") -> "AbstractContextManager[None]":
    """Print a line for each file."""
    report.on_file = lambda item: output.note(f"Copying {_name(item)}")
    return nullcontext()


@contextmanager
def _bar(report: "CopyReport", target: str) -> Iterator[None]:
    """Show a bar for the whole copy, with the name of the current file."""
    from riseml.cli.copy_bar import CopyBar
    from riseml.cli.progress import Notice

    notice = Notice()
    bar = CopyBar(notice, table.clean(target))
    report.begin = bar.begin
    # The end of a path tells files apart, and a narrow terminal has no room for more.
    report.on_file = lambda item: bar.name(_name(item).rpartition("/")[2])
    report.on_bytes = bar.advance
    try:
        yield
    finally:
        notice.end()


def _name(item: "Item") -> str:
    return table.clean(output.printable(item.name))
