"""TensorBoard as a user opens it: that of a run, or a local one over a folder with its output.

with client.tensorboard("14") as tensorboard:  # It answers by now.
    print(tensorboard.url)
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id

# A run's TensorBoard may import TensorFlow first, which takes long on a busy node.
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.1
# TensorBoard itself reloads its files every 5 seconds, and each look at a cluster costs a
# few requests.
_REFRESH_SECONDS = 10.0
# The time that a process has between TERM and KILL.
_GRACE_SECONDS = 5.0
_HOST = "127.0.0.1"
_LOG_LINES = 10
_LOG_BYTES = 4096
_HAS_TENSORBOARD = (
    "import importlib.util as i, sys; sys.exit(i.find_spec('tensorboard.main') is None)"
)


class Server(Protocol):
    """A process or connection behind a TensorBoard that was opened from here."""

    def wait(self) -> None:
        """Return when it has ended.

        Raises:
            RiseMLError: it failed.
        """

    def close(self) -> None:
        """End it."""


class Tunnel(Server, Protocol):
    """A port of this machine that leads to a TensorBoard on another machine."""

    url: str

    def is_open(self) -> bool:
        """Return whether something may still answer behind it."""


@runtime_checkable
class HasRemoteOutput(Protocol):
    """The ability of engines whose jobs run on other machines to open their TensorBoards here."""

    def open_tensorboard(
        self, run: Id, port: int, on_note: Callable[[str], None], /
    ) -> Tunnel | None:
        """Return a tunnel to the TensorBoard of a run, None where it runs none.

        It waits for a TensorBoard that is about to start.

        Raises:
            NotFoundError: there is no such run.
        """

    def events(self, run: Id, folder: Path, /) -> Callable[[], bool]:
        """Return a function that copies the event files of a run or experiment to `folder`.

        It may be called many times and copies only what is new. It returns False where
        there are no event files.

        Raises:
            NotFoundError: there is no such run.
        """


class TensorBoard:
    """A TensorBoard that answers at `url`.

    `close` ends one that was opened from here, and leaves a run's own alone.
    """

    def __init__(self, url: str, server: Server | None = None) -> None:
        self.url = url
        self._server = server

    @property
    def is_own(self) -> bool:
        """Whether it belongs to the run and can be reached without this process."""
        return self._server is None

    def wait(self) -> None:
        """Return when one that was opened from here has ended.

        Raises:
            RiseMLError: it failed; the advice is what it wrote last.
        """
        if self._server is not None:
            self._server.wait()

    def close(self) -> None:
        """End one that was opened from here, with everything that belongs to it."""
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Process:
    """A TensorBoard process of this machine."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: BinaryIO) -> None:
        self._process = process
        self._log = log

    def wait(self) -> None:
        """Return when it has ended; raise its failure."""
        if self._process.wait():
            raise self._failure()

    def await_answer(self, url: str) -> None:
        """Return when it answers; raise its failure if it ends first."""
        if not await_answer(url, lambda: self._process.poll() is None):
            raise self._failure()

    def close(self) -> None:
        """End it and all processes that it started."""
        try:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE_SECONDS)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._log.close()

    def _failure(self) -> RiseMLError:
        return RiseMLError(
            f"tensorboard has ended with status {self._process.returncode}",
            _last_lines(self._log),
        )

    def _signal(self, number: int) -> None:
        # macOS refuses permission for a process group that has ended.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Mirror:
    """A local TensorBoard over a copy of a remote run's events, which a thread refreshes."""

    def __init__(
        self,
        tensorboard: TensorBoard,
        folder: "tempfile.TemporaryDirectory[str]",
        fetch: Callable[[], object],
    ) -> None:
        self._tensorboard = tensorboard
        self._folder = folder
        self._fetch = fetch
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when TensorBoard has ended; raise its failure."""
        self._tensorboard.wait()

    def close(self) -> None:
        """End TensorBoard and delete the copy."""
        self._closed.set()
        self._tensorboard.close()
        self._thread.join(_GRACE_SECONDS)
        self._folder.cleanup()

    def _refresh(self) -> None:
        while not self._closed.wait(_REFRESH_SECONDS):
            # The cluster may be unreachable for a while; the next refresh tries again.
            with suppress(RiseMLError, OSError):
                self._fetch()


def of_run(
    find_url: Callable[[], str | None], run: str, on_note: Callable[[str], None]
) -> TensorBoard | None:
    """Return the TensorBoard that belongs to a run once it answers, None where none does.

    `find_url` returns its address, or None where none is running.
    """
    url = find_url()
    if url is None:
        return None
    if answers(url):
        return TensorBoard(url)
    on_note(f"Waiting for TensorBoard to start at {url} ...")
    if await_answer(url, lambda: find_url() == url, _PATIENCE_SECONDS):
        return TensorBoard(url)
    if find_url() == url:
        on_note(f"It does not answer; `riseml logs {run}.tensorboard` says why.")
    else:
        on_note("It has ended.")
    return None


def open_remote(
    engine: HasRemoteOutput, run: Id, port: int, on_note: Callable[[str], None]
) -> TensorBoard:
    """Return the TensorBoard of a run on other machines.

    That is the run's own through a tunnel, or a local one over a copy of its events.

    Raises:
        NotFoundError: there is no such run, or it has written nothing for TensorBoard.
        RiseMLError: TensorBoard is not installed here, the port is in use, or it failed.
    """
    tunnel = engine.open_tensorboard(run, port, on_note)
    if tunnel is not None:
        if await_answer(tunnel.url, tunnel.is_open, _PATIENCE_SECONDS):
            return TensorBoard(tunnel.url, tunnel)
        tunnel.close()
        on_note("The TensorBoard of the run does not answer.")
    folder = tempfile.TemporaryDirectory(prefix="riseml-events-")
    try:
        fetch = engine.events(run, Path(folder.name))
        _fetch_first(fetch, run)
        title = f"a copy of what {run} has written"
        tensorboard = serve(Path(folder.name), port, on_note, title)
    except BaseException:
        folder.cleanup()
        raise
    return TensorBoard(tensorboard.url, _Mirror(tensorboard, folder, fetch))


def _fetch_first(fetch: Callable[[], bool], run: Id) -> None:
    """Copy the events that a run has written so far, of which there must be some."""
    if not fetch():
        raise NotFoundError(
            f"{run} has written nothing for TensorBoard",
            "Jobs write its events below $OUTPUT_DIR.",
        )


def serve(
    folder: Path, port: int, on_note: Callable[[str], None], title: str = ""
) -> TensorBoard:
    """Start the user's TensorBoard over a folder, and return it once it answers.

    `port` 0 picks a free one. `title` names the folder in notes, instead of its path.

    Raises:
        NotFoundError: there is no such folder.
        RiseMLError: TensorBoard is not installed, the port is in use, or it failed.
    """
    if not folder.is_dir():
        raise NotFoundError(f"there is no output: {folder} does not exist")
    program = command()
    port = _free_port(port)
    on_note(f"Starting TensorBoard over {title or folder} ...")
    url = f"http://{_HOST}:{port}"
    # The process closes the log, which it needs until it ends.
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [*program, "--logdir", str(folder), "--host", _HOST, "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # A group of its own does not get the Ctrl-C that is meant for this process.
        process_group=0,
    )
    server = _Process(process, log)
    try:
        server.await_answer(url)
    except BaseException:
        server.close()
        raise
    return TensorBoard(url, server)


def answers(url: str) -> bool:
    """Return whether an address answers by HTTP, with any status; no proxy is used."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=_GRACE_SECONDS
    )
    try:
        connection.request("GET", parts.path or "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def await_answer(
    url: str, is_running: Callable[[], bool], patience: float | None = None
) -> bool:
    """Wait until an address answers.

    Return False if its server ends first, or after `patience` seconds.
    """
    deadline = None if patience is None else time.monotonic() + patience
    while not answers(url):
        if not is_running():
            return False
        if deadline is not None and time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def command() -> list[str]:
    """Return the command that starts TensorBoard in the user's environment.

    Raises:
        RiseMLError: TensorBoard is not installed.
    """
    program = shutil.which("tensorboard")
    if program:
        return [program]
    for python in _pythons():
        check = subprocess.run(
            [python, "-c", _HAS_TENSORBOARD], capture_output=True, check=False
        )
        if check.returncode == 0:
            return [python, "-m", "tensorboard.main"]
    raise RiseMLError(
        "there is no tensorboard in your environment",
        "Install it with `pip install tensorboard`, or put an installed one on your PATH.",
    )


def _pythons() -> list[str]:
    """Return the interpreters to search for TensorBoard, the user's before RiseML's."""
    pythons = [shutil.which("python3"), shutil.which("python"), sys.executable]
    return [python for python in dict.fromkeys(pythons) if python]


def _free_port(port: int) -> int:
    """Return a port that nothing listens to, so that only the new server can answer there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise RiseMLError(
                f"port {port} cannot be used: {error.strerror}",
                "Without a port, a free one is taken.",
            ) from None
        return int(probe.getsockname()[1])


def _last_lines(log: BinaryIO) -> str:
    size = log.seek(0, os.SEEK_END)
    log.seek(max(size - _LOG_BYTES, 0))
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines[-_LOG_LINES:] if line.strip())
