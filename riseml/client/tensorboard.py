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
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id

# Seconds that a run's own may take before it answers: importing TensorFlow takes some
PATIENCE = 60.0
_HERE = "127.0.0.1"
# Seconds between two questions
_PAUSE = 0.1
# Seconds between two looks for new events of a run elsewhere
_REFRESH = 10.0
# Seconds between TERM and KILL
_GRACE = 5.0
# Lines
_LAST_WORDS = 10
# Bytes at the end of its output in which they are looked for
_TOLD = 4096
_HAS_IT = (
    "import importlib.util as i, sys; sys.exit(i.find_spec('tensorboard.main') is None)"
)


class Server(Protocol):
    """What stands behind a TensorBoard that was opened from here."""

    def wait(self) -> None:
        """Return once it has ended; it may raise how it failed."""

    def close(self) -> None:
        """End it."""


@runtime_checkable
class Elsewhere(Protocol):
    """What engines can do whose jobs run on other machines."""

    def open_tensorboard(
        self, run: Id, port: int, tell: Callable[[str], None]
    ) -> "Door | None":
        """Return a way to the TensorBoard of a run through a port of this machine, None where it runs none.

        One that is about to begin is waited for.

        Raises:
            NotFoundError: no such run.
        """

    def events(self, run: Id, folder: Path) -> Callable[[], bool]:
        """Return what brings to `folder` what TensorBoard reads of a run, or with `run.sub` of one experiment.

        It is called again and again, returns False where there is nothing, and does not bring what is there already.

        Raises:
            NotFoundError: no such run.
        """


class Door(Server, Protocol):
    """A port of this machine behind which another's answers."""

    url: str

    def is_open(self) -> bool:
        """Whether somebody may answer behind it."""


class Board:
    """A TensorBoard that answers at `url`. What was opened from here ends with `close`, a run's own is left alone."""

    def __init__(self, url: str, server: Server | None = None) -> None:
        self.url, self._server = url, server

    @property
    def is_own(self) -> bool:
        """Whether it is the run's own and needs nothing of us to be reached."""
        return self._server is None

    def wait(self) -> None:
        """Return once one that was opened here has ended.

        Raises:
            RiseMLError: it has failed; the advice is what it wrote last.
        """
        if self._server is not None:
            self._server.wait()

    def close(self) -> None:
        """End one that was opened here, and all that belongs to it."""
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


class _Process:
    """A TensorBoard of this machine."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: BinaryIO) -> None:
        self._process, self._log = process, log

    def wait(self) -> None:
        """Return once it has ended; raise how it failed."""
        if self._process.wait():
            raise self.failure()

    def failure(self) -> RiseMLError:
        """Return the error that says how it ended."""
        return RiseMLError(
            f"tensorboard has ended with status {self._process.returncode}",
            _last_words(self._log),
        )

    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it and all that it has started."""
        try:
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._log.close()

    def _signal(self, number: int) -> None:
        with suppress(
            ProcessLookupError, PermissionError
        ):  # macOS: of a group that has ended
            os.killpg(self._process.pid, number)


class _Mirror:
    """A TensorBoard of this machine over files that a thread keeps bringing from elsewhere."""

    def __init__(
        self,
        board: Board,
        folder: "tempfile.TemporaryDirectory[str]",
        fetch: Callable[[], object],
    ) -> None:
        self._board, self._folder, self._fetch = board, folder, fetch
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return once it has ended; raise how it failed."""
        self._board.wait()

    def close(self) -> None:
        """End it, and drop the files."""
        self._closed.set()
        self._board.close()
        self._thread.join(_GRACE)
        self._folder.cleanup()

    def _follow(self) -> None:
        while not self._closed.wait(_REFRESH):
            # The cluster may be away for a while
            with suppress(RiseMLError, OSError):
                self._fetch()


def answers(url: str) -> bool:
    """Whether somebody answers there by HTTP, whatever it is; proxies are none of our business here."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=_GRACE
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
    url: str, goes_on: Callable[[], bool], patience: float | None = None
) -> bool:
    """Wait until an address answers; False where its server is gone before, or `patience` seconds are over."""
    limit = None if patience is None else time.monotonic() + patience
    while not answers(url):
        if not goes_on() or (limit is not None and time.monotonic() > limit):
            return False
        time.sleep(_PAUSE)
    return True


def own(
    find: Callable[[], str | None], run: str, tell: Callable[[str], None]
) -> Board | None:
    """Return the TensorBoard that a run has where `find` says, once it answers; None where there is none that does."""
    url = find()
    if url is None:
        return None
    if not answers(url):
        tell(f"TensorBoard is about to begin at {url} ...")
        if not await_answer(url, lambda: find() == url, PATIENCE):
            gone = find() != url
            tell(
                "It has ended."
                if gone
                else f"It does not answer; `riseml logs {run}.tensorboard` says why."
            )
            return None
    return Board(url)


def serve(
    folder: Path, port: int, tell: Callable[[str], None], what: str = ""
) -> Board:
    """Start the user's TensorBoard over a folder, and return once it answers; `port` 0 is any free one.

    `what` the folder is told as, if not by its path.

    Raises:
        NotFoundError: there is no such folder.
        RiseMLError: there is no TensorBoard, the port is taken, or it has failed.
    """
    if not folder.is_dir():
        raise NotFoundError(f"there is no output: {folder} does not exist")
    argv, port = command(), _free(port)
    tell(f"Starting TensorBoard over {what or folder} ...")
    url = f"http://{_HERE}:{port}"
    # As long as the board
    log = tempfile.TemporaryFile()  # noqa: SIM115
    process = subprocess.Popen(
        [*argv, "--logdir", str(folder), "--host", _HERE, "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # Ctrl-C is for us
        process_group=0,
    )
    server = _Process(process, log)
    try:
        begun = await_answer(url, server.goes_on)
        failure = None if begun else server.failure()
    except BaseException:
        server.close()
        raise
    if failure:
        server.close()
        raise failure
    return Board(url, server)


def elsewhere(
    engine: Elsewhere, run: Id, port: int, tell: Callable[[str], None]
) -> Board:
    """Return the TensorBoard of a run on other machines: its own, else one of this machine over a copy of its events.

    Raises:
        NotFoundError: no such run, or it has left nothing that TensorBoard could show.
        RiseMLError: there is no TensorBoard here, the port is taken, or it has failed.
    """
    if door := engine.open_tensorboard(run, port, tell):
        if await_answer(door.url, door.is_open, PATIENCE):
            return Board(door.url, door)
        door.close()
        tell("The TensorBoard of the run does not answer.")
    folder = tempfile.TemporaryDirectory(prefix="riseml-events-")
    try:
        fetch = engine.events(run, Path(folder.name))
        board = (
            serve(Path(folder.name), port, tell, f"a copy of what {run} has written")
            if fetch()
            else None
        )
    except BaseException:
        folder.cleanup()
        raise
    if board is None:
        folder.cleanup()
        raise NotFoundError(
            f"{run} has written nothing for TensorBoard",
            "Jobs write its events below $OUTPUT_DIR.",
        )
    return Board(board.url, _Mirror(board, folder, fetch))


def command() -> list[str]:
    """Return how TensorBoard is started in the user's environment.

    Raises:
        RiseMLError: it is not there.
    """
    if found := shutil.which("tensorboard"):
        return [found]
    for python in _pythons():
        if (
            subprocess.run(
                [python, "-c", _HAS_IT], capture_output=True, check=False
            ).returncode
            == 0
        ):
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
            raise RiseMLError(
                f"port {port} cannot be used: {error.strerror}", advice
            ) from None
        return int(probe.getsockname()[1])


def _last_words(log: BinaryIO) -> str:
    log.seek(max(log.seek(0, os.SEEK_END) - _TOLD, 0))
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(line for line in lines[-_LAST_WORDS:] if line.strip())
