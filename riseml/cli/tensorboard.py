"""`riseml tensorboard`."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from riseml.cli import options, output
from riseml.client import Client
from riseml.errors import RiseMLError

_HERE = "127.0.0.1"
_PATIENCE = 90.0  # seconds that TensorBoard may take to begin; importing TensorFlow alone takes some
_PAUSE = 0.3


def command(
    id: options.OneId = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, help="Where to show an ended run; 0 for any free port.")
    ] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it, where this is a terminal.")] = True,
) -> int:
    """Open the TensorBoard of a run, also after its end.

    While a run goes on, its own TensorBoard is opened. Afterwards the tensorboard of this machine shows the output
    folder of the run, or of one of its experiments, until Ctrl-C. Without an id: the newest run.

    Examples:
      riseml tensorboard 14
      riseml tensorboard 14.3 --port 6006
    """
    client = Client()
    if url := client.board(id):
        _await(url, lambda: client.board(id) == url)
        _show(url, browser=browser)
        return 0
    return _serve(client.output(id), port or _free_port(), browser=browser)


def _serve(folder: Path, port: int, *, browser: bool) -> int:
    """Run a TensorBoard over a folder until Ctrl-C, or its own end."""
    argv = [*_tensorboard(), "--logdir", str(folder), "--host", _HERE, "--port", str(port)]
    url = f"http://{_HERE}:{port}/"
    output.note(f"TensorBoard over {folder} begins; Ctrl-C ends it.")
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
        try:
            _await(url, lambda: process.poll() is None)
            _show(url, browser=browser)
            if process.wait():
                raise RiseMLError(f"tensorboard has ended with status {process.returncode}", "It said why above.")
        except KeyboardInterrupt:
            return 0
        finally:
            process.terminate()
    return 0


def _tensorboard() -> list[str]:
    """Return the command of the user's environment.

    Raises:
        RiseMLError: there is none.
    """
    if found := shutil.which("tensorboard"):
        return [found]
    for name in ("python3", "python"):
        python = shutil.which(name)
        if (
            python
            and not subprocess.run([python, "-c", "import tensorboard"], capture_output=True, check=False).returncode
        ):
            return [python, "-m", "tensorboard.main"]
    raise RiseMLError("there is no tensorboard in your environment", "Install it: pip install tensorboard")


def _await(url: str, goes_on: Callable[[], bool]) -> None:
    """Wait until an address answers.

    Raises:
        RiseMLError: it does not, or has ended before.
    """
    limit = time.monotonic() + _PATIENCE
    told = time.monotonic() + 2
    while goes_on():
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 (an address of this machine, by HTTP)
        except urllib.error.HTTPError:
            return  # somebody is there
        except OSError:
            if time.monotonic() > limit:
                raise RiseMLError(f"nothing answers at {url}", "`riseml logs ID.tensorboard` may say why.") from None
            if time.monotonic() > told:
                output.note("TensorBoard is about to begin...")
                told = limit
            time.sleep(_PAUSE)
        else:
            return
    raise RiseMLError("TensorBoard has ended before it answered", "`riseml logs ID.tensorboard` may say why.")


def _show(url: str, *, browser: bool) -> None:
    output.lines([url])
    if browser and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(url)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HERE, 0))
        return int(probe.getsockname()[1])
