"""TensorBoard as a user opens it: a run's own, or one of this machine over the folder that a run has left.

with client.tensorboard("14") as board:  # it answers by now
    print(board.url)
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import urlsplit

from riseml.errors import NotFoundError, RiseMLError

PATIENCE = 60.0  # seconds that a run's own may take before it answers: importing TensorFlow takes some
_HERE = "127.0.0.1"
_PAUSE = 0.1  # seconds between two questions
_GRACE = 5.0  # seconds between TERM and KILL
_LAST_WORDS = 10  # lines
_TOLD = 4096  # bytes at the end of its output in which they are looked for
_HAS_IT = "import importlib.util as i, sys; sys.exit(i.find_spec('tensorboard.main') is None)"


class Board:
    """A TensorBoard that answers at `url`. One that was started here ends with `close`, a run's own is left alone."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes] | None" = None, log: BinaryIO | None = None) -> None:
        self.url = url
        self._process, self._log = process, log

    @property
    def is_own(self) -> bool:
        """Whether it is the run's own, which nobody here has started."""
        return self._process is None

    def wait(self) -> None:
        """Return once one that was started here has ended.

        Raises:
            RiseMLError: it has failed; the advice is what it wrote last.
        """
        if self._process is not None and self._process.wait():
            raise self.failure()

    def failure(self) -> RiseMLError:
        """Return the error that says how it ended."""
        status = self._process.returncode if self._process is not None else None
        return RiseMLError(f"tensorboard has ended with status {status}", _last_words(self._log))

    def close(self) -> None:
        """End one that was started here, and all that it has started."""
        if self._process is None:
            return
        try:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            if self._log is not None:
                self._log.close()

    def _signal(self, number: int) -> None:
        assert self._process is not None  # noqa: S101 (one that was started here)
        with suppress(ProcessLookupError, PermissionError):  # macOS: of a group that has ended
            os.killpg(self._process.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def answers(url: str) -> bool:
    """Whether somebody answers there by HTTP, whatever it is; proxies are none of our business here."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_GRACE)
    try:
        connection.request("GET", parts.path or "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def await_answer(url: str, goes_on: Callable[[], bool], patience: float | None = None) -> bool:
    """Wait until an address answers; False where its server is gone before, or `patience` seconds are over."""
    limit = None if patience is None else time.monotonic() + patience
    while not answers(url):
        if not goes_on() or (limit is not None and time.monotonic() > limit):
            return False
        time.sleep(_PAUSE)
    return True


def own(find: Callable[[], str | None], run: str, tell: Callable[[str], None]) -> Board | None:
    """Return the TensorBoard that a run has where `find` says, once it answers; None where there is none that does."""
    url = find()
    if url is None:
        return None
    if not answers(url):
        tell(f"TensorBoard is about to begin at {url} ...")
        if not await_answer(url, lambda: find() == url, PATIENCE):
            gone = find() != url
            tell("It has ended." if gone else f"It does not answer; `riseml logs {run}.tensorboard` says why.")
            return None
    return Board(url)


def serve(folder: Path, port: int, tell: Callable[[str], None]) -> Board:
    """Start the user's TensorBoard over a folder, and return once it answers; `port` 0 is any free one.

    Raises:
        NotFoundError: there is no such folder.
        RiseMLError: there is no TensorBoard, the port is taken, or it has failed.
    """
    if not folder.is_dir():
        raise NotFoundError(f"there is no output: {folder} does not exist")
    argv, port = command(), _free(port)
    tell(f"Starting TensorBoard over {folder} ...")
    url = f"http://{_HERE}:{port}"
    log = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the board)
    process = subprocess.Popen(
        [*argv, "--logdir", str(folder), "--host", _HERE, "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        process_group=0,  # Ctrl-C is for us
    )
    board = Board(url, process, log)
    try:
        begun = await_answer(url, lambda: process.poll() is None)
        failure = None if begun else board.failure()
    except BaseException:
        board.close()
        raise
    if failure:
        board.close()
        raise failure
    return board


def command() -> list[str]:
    """Return how TensorBoard is started in the user's environment.

    Raises:
        RiseMLError: it is not there.
    """
    if found := shutil.which("tensorboard"):
        return [found]
    for python in _pythons():
        if subprocess.run([python, "-c", _HAS_IT], capture_output=True, check=False).returncode == 0:
            return [python, "-m", "tensorboard.main"]
    raise RiseMLError(
        "there is no tensorboard in your environment",
        "Install it with `pip install tensorboard`, or put the one you have on your PATH.",
    )


def _pythons() -> Iterator[str]:
    found = [path for name in ("python3", "python") if (path := shutil.which(name))]
    yield from dict.fromkeys([*found, sys.executable])


def _free(port: int) -> int:
    """Return a port at which nobody else can answer in place of what is started here."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HERE, port))
        except OSError as error:
            advice = "Without a port, a free one is taken."
            raise RiseMLError(f"port {port} cannot be used: {error.strerror}", advice) from None
        return int(probe.getsockname()[1])


def _last_words(log: BinaryIO | None) -> str:
    if log is None:
        return ""
    log.seek(max(log.seek(0, os.SEEK_END) - _TOLD, 0))
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines[-_LAST_WORDS:] if line.strip())
