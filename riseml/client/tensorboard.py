"""TensorBoard as a user opens it: that of a run, or a local one over a folder with its output.

with client.tensorboard("14") as tensorboard:  # It answers by now.
    print(tensorboard.url)
"""

import http.client
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from riseml.client import hparams_columns, tensorboard_program
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id

# A run's TensorBoard may import TensorFlow first, which takes long on a busy node.
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.1
# Whether a TensorBoard is missing is in its log, which takes a request on a cluster.
_PAUSE_SECONDS = 1.0
_SILENT = "The TensorBoard of run {run} does not answer; `riseml logs {run}.tensorboard` says why."
# TensorBoard itself reloads its files every 5 seconds, and each look at a cluster costs a
# few requests.
_REFRESH_SECONDS = 10.0
# The time that a process has between TERM and KILL.
_GRACE_SECONDS = 5.0


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


@runtime_checkable
class HasEnvironments(Protocol):
    """The ability of engines to name the virtual environment of a run."""

    def environment(self, run: Id, /) -> Path | None:
        """Return the environment that a run's install steps made, None without one.

        It may have been removed since.

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

    def __exit__(self, *_error: object) -> None:
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
            tensorboard_program.last_lines(self._log),
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
    find_url: Callable[[], str | None],
    run: str,
    on_note: Callable[[str], None],
    is_missing: Callable[[], bool] = lambda: False,
) -> TensorBoard | None:
    """Return the TensorBoard that belongs to a run once it answers, None where none does.

    `find_url` returns its address, or None where none is running. `is_missing` tells
    whether none is installed where the run's is started; the wait ends then.
    """
    url = find_url()
    if url is None:
        return None
    if answers(url):
        return TensorBoard(url)
    on_note(f"Waiting for TensorBoard to start at {url} ...")
    missing = _Occasionally(is_missing)

    def may_start() -> bool:
        return not missing() and find_url() == url

    if await_answer(url, may_start, _PATIENCE_SECONDS):
        return TensorBoard(url)
    if missing.answer:
        on_note(tensorboard_program.MISSING.format(run=run))
    elif find_url() == url:
        on_note(f"It does not answer; `riseml logs {run}.tensorboard` says why.")
    else:
        on_note("It has ended.")
    return None


class _Occasionally:
    """A question that is asked again once a second until the answer is yes."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self.answer = False
        self._ask = ask
        self._due = time.monotonic()

    def __call__(self) -> bool:
        if not self.answer and time.monotonic() >= self._due:
            self.answer = self._ask()
            self._due = time.monotonic() + _PAUSE_SECONDS
        return self.answer


def open_remote(
    engine: HasRemoteOutput,
    run: Id,
    port: int,
    on_note: Callable[[str], None],
    is_missing: Callable[[], bool] = lambda: False,
) -> TensorBoard:
    """Return the TensorBoard of a run on other machines.

    That is the run's own through a tunnel, or a local one over a copy of its events.

    Raises:
        NotFoundError: there is no such run, or it has written nothing for TensorBoard.
        RiseMLError: TensorBoard is not installed here, the port is in use, or it failed.
    """
    tunnel = engine.open_tensorboard(run, port, on_note)
    if tunnel is not None:
        missing = _Occasionally(is_missing)

        def may_start() -> bool:
            return not missing() and tunnel.is_open()

        if await_answer(tunnel.url, may_start, _PATIENCE_SECONDS):
            return TensorBoard(tunnel.url, tunnel)
        tunnel.close()
        reason = tensorboard_program.MISSING if missing.answer else _SILENT
        on_note(reason.format(run=Id(run.user, run.number)))
    folder = tempfile.TemporaryDirectory(prefix="riseml-events-")
    try:
        fetch = engine.events(run, Path(folder.name))
        _fetch_first(fetch, run)
        hparams_columns.explain(Path(folder.name), str(run), on_note)
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
    folder: Path,
    port: int,
    on_note: Callable[[str], None],
    title: str = "",
    environment: Path | None = None,
) -> TensorBoard:
    """Start a TensorBoard over a folder, and return it once it answers.

    It is that of a virtual environment, if there is one with a TensorBoard, else the
    user's. `port` 0 picks a free one. `title` names the folder in notes, instead of its
    path.

    Raises:
        NotFoundError: there is no such folder.
        RiseMLError: TensorBoard is not installed, the port is in use, or it failed.
    """
    if not folder.is_dir():
        raise NotFoundError(f"there is no output: {folder} does not exist")
    program = tensorboard_program.command(environment)
    port = tensorboard_program.free_port(port)
    on_note(f"Starting TensorBoard over {title or folder} ...")
    url = f"http://{tensorboard_program.HOST}:{port}"
    # The process closes the log, which it needs until it ends.
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [
            *program,
            "--logdir",
            str(folder),
            "--host",
            tensorboard_program.HOST,
            "--port",
            str(port),
        ],
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
