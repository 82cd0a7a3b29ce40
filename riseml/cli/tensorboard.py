"""Command `riseml tensorboard`."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

from riseml.cli import options, output, terminal
from riseml.cli.parameters import Option
from riseml.client.client import Client

if TYPE_CHECKING:
    from riseml.client.tensorboard import TensorBoard

# Without one of them, `webbrowser` starts a text browser, which takes over the terminal.
_BROWSER_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def command(
    id: options.OneId = None,
    port: Annotated[
        int,
        Option(
            "--port",
            metavar="N",
            min=0,
            help="Port for a locally started TensorBoard; 0 picks a free one.",
        ),
    ] = 0,
    browser: Annotated[
        bool,
        Option("--browser/--no-browser", help="Open a browser if this is a terminal."),
    ] = True,
) -> None:
    """Open the TensorBoard of a run, also after it has ended.

    While the run is active, this is its own TensorBoard. Once the run has ended, your
    local TensorBoard shows its output until Ctrl-C. For runs on a cluster it shows a
    local copy that is kept up to date. The id of an experiment, such as 14.3, selects
    its output alone.

    Examples:
      riseml tensorboard
      riseml tensorboard 14.3 --port 6006
    """
    with (
        _exit_cleanly_on_signals(),
        Client().tensorboard(id, port=port, on_note=output.note) as tensorboard,
    ):
        # Ctrl-C may come as soon as the address is there.
        try:
            _show(tensorboard, browser=browser)
        except KeyboardInterrupt:
            output.note("")


def _show(tensorboard: "TensorBoard", *, browser: bool) -> None:
    output.say(tensorboard.url)
    # A script may wait for the address while this command keeps running.
    sys.stdout.flush()
    if browser and terminal.stdout().interactive:
        _open_browser(tensorboard.url)
    if tensorboard.is_own:
        return
    output.note("Press Ctrl-C to stop it.")
    tensorboard.wait()


def _open_browser(url: str) -> None:
    has_browser = any(os.environ.get(name) for name in _BROWSER_VARIABLES)
    if sys.platform == "darwin" or has_browser:
        import webbrowser

        webbrowser.open(url)


@contextmanager
def _exit_cleanly_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, so that the local TensorBoard is stopped."""
    handled = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        # nohup has set another handler, which stays.
        if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in handled:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
