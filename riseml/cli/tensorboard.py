"""`riseml tensorboard`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn

import typer

from riseml.cli import options, output, terminal
from riseml.client.client import Client

_DISPLAYS = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "BROWSER",
)  # elsewhere a browser would take the terminal


def command(
    id: options.OneId = None,
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            help="Of one that is started here; 0: any free one.",
        ),
    ] = 0,
    browser: Annotated[
        bool,
        typer.Option(
            "--browser/--no-browser", help="Open it in a browser, on a terminal."
        ),
    ] = True,
) -> None:
    """Open the TensorBoard of a run, also after it has ended.

    While a run goes on, its own TensorBoard. Else the tensorboard of your own environment shows the output folder, of
    14.3 that of this experiment, until Ctrl-C; of a run on a cluster a copy of its events, which is kept fresh.

    Examples:
      riseml tensorboard
      riseml tensorboard 14.3 --port 6006
    """
    with _in_order(), Client().tensorboard(id, port=port, on_note=output.note) as board:
        output.say(board.url)
        sys.stdout.flush()
        if browser and terminal.stdout().interactive:
            _open(board.url)
        if board.is_own:
            return
        output.note("Ctrl-C ends it.")
        try:
            board.wait()
        except KeyboardInterrupt:
            output.note("")


def _open(url: str) -> None:
    if sys.platform == "darwin" or any(map(os.environ.get, _DISPLAYS)):
        import webbrowser

        webbrowser.open(url)


@contextmanager
def _in_order() -> Iterator[None]:
    """Leave as signals say, but not without what was started here."""
    heard = [
        each
        for each in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(each) is signal.SIG_DFL
    ]
    for each in heard:
        signal.signal(each, _leave)
    try:
        yield
    finally:
        for each in heard:
            signal.signal(each, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
