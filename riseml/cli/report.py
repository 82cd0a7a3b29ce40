"""Command `riseml report`."""

import webbrowser
from pathlib import Path
from typing import Annotated

from riseml import phrases
from riseml.cli import options, output
from riseml.cli.parameters import Option
from riseml.client.client import Client
from riseml.errors import RiseMLError
from riseml.project.copied import CopyRecord

File = Annotated[
    str | None,
    Option(
        "-o",
        "--output",
        metavar="FILE",
        show_default=False,
        help="Where to write the page; default: report-ID.html.",
    ),
]
Metric = Annotated[
    str | None,
    Option(
        "-m",
        "--metric",
        metavar="NAME",
        show_default=False,
        help="The result that compares experiments; default: the first in riseml.yml.",
    ),
]
Open = Annotated[bool, Option("--open", help="Open the page in a browser.")]

# A page names its generator near its start.
_HEAD_BYTES = 1000


def command(
    ids: options.ManyIds = None,
    file: File = None,
    metric: Metric = None,
    open_page: Open = False,
) -> None:
    """Write an HTML page about runs: results, curves, parameters.

    The page is one file that needs no network: send it to somebody, or keep it with a
    paper. An existing file is replaced only if it is a report.

    Examples:
      riseml report 14
      riseml report 14 15 -o comparison.html --open
    """
    client = Client()
    names = ids or [str(client.engine.latest())]
    path = Path(file or f"report-{'-'.join(names)}.html")
    _check_replaceable(path)
    page = client.report(*names, metric=metric)
    # The page is no code of the next run, if it lies in a project.
    record = CopyRecord(client.settings.home, [str(path)])
    _write(path, page)
    record.end()
    output.say(str(path))
    output.note(f"Wrote {phrases.size(len(page.encode()))}.")
    if open_page and not webbrowser.open(path.absolute().as_uri()):
        output.note("There is no browser here; open the file in one.")


def _check_replaceable(path: Path) -> None:
    """Refuse to replace a file that is not a report."""
    from riseml.report.page import MARK

    try:
        with path.open("rb") as existing:
            head = existing.read(_HEAD_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RiseMLError(f"cannot write {path}: {error.strerror}") from None
    if MARK.encode() not in head:
        raise RiseMLError(
            f"{path} exists and is not a report", "Choose another file with -o."
        )


def _write(path: Path, page: str) -> None:
    """Write a page; an earlier one is complete until this one is."""
    unfinished = path.with_name(f".{path.name}.riseml-part")
    try:
        unfinished.write_text(page, "utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise RiseMLError(f"cannot write {path}: {error.strerror}") from None
