"""How commands and the controller of a home talk: one JSON line there, one back, over a socket in the home.

Reading needs no talk: commands read the database. Errors travel as their class, message and advice.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from riseml import __version__, errors
from riseml.errors import HomeError, RiseMLError, UnreachableError

_LONGEST = 103  # bytes of a socket's path, macOS' limit; Linux allows 107
PATIENCE = 30.0  # seconds that a controller may take to come up: adopting thousands of nodes needs some


def encode(reply: dict[str, Any]) -> bytes:
    """Write one message."""
    return json.dumps(reply, separators=(",", ":")).encode() + b"\n"


def failure(error: RiseMLError) -> dict[str, Any]:
    """Write an error as a reply."""
    return {"error": {"kind": type(error).__name__, "message": str(error), "advice": error.advice}}


def call(home: Path, act: str, **arguments: Any) -> Any:
    """Ask the controller of `home`, starting it where none runs, and return its answer.

    Raises:
        RiseMLError: what the controller said, or that it cannot be reached.
    """
    with connection(home) as channel:
        channel.sendall(encode({"act": act, **arguments}))
        line = b"".join(_until_line(channel))
    if not line.endswith(b"\n"):
        raise UnreachableError(
            "the local controller went away before it answered",
            f"Look with `riseml status` whether it happened; its log is {home / 'controller.log'}.",
        )
    answer = json.loads(line)
    if said := answer.get("error"):
        kind = getattr(errors, said["kind"], RiseMLError)
        raise (RiseMLError if kind is errors.ConfigError else kind)(said["message"], said["advice"])
    return answer["ok"]


def answers(home: Path) -> bool:
    """Whether a controller serves this home now."""
    channel = _connected(home)
    if channel is not None:
        channel.close()
    return channel is not None


def ensure(home: Path) -> None:
    """Make sure that a controller runs and has taken up what an earlier one left."""
    with connection(home):
        pass


@contextmanager
def connection(home: Path) -> Iterator[socket.socket]:
    """Yield a channel to the controller, of this version of riseml."""
    channel = _connected(home)
    if channel is None:
        _prepare(home)
        log = home / "controller.log"
        started = _spawn(home, log)
        channel = _wait(home, started, log)
    with channel:
        hello = json.loads(b"".join(_until_line(channel)) or b"{}")
        if hello.get("version") == __version__:
            yield channel
            return
        channel.sendall(encode({"act": "quit"}))  # its jobs go on, the next one adopts them
        _until_closed(channel)
    with connection(home) as newer:
        yield newer


@contextmanager
def short(home: Path) -> Iterator[str]:
    """Yield a path of the socket that is as short as the system demands."""
    path = str(home / "controller.sock")
    if len(os.fsencode(path)) <= _LONGEST or not Path("/proc/self/fd").is_dir():
        yield path
        return
    directory = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/controller.sock"
    finally:
        os.close(directory)


def _connected(home: Path) -> socket.socket | None:
    channel = socket.socket(socket.AF_UNIX)
    try:
        with short(home) as path:
            channel.connect(path)
    except OSError:
        channel.close()
        return None
    channel.settimeout(600)
    return channel


def _prepare(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(home, error) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise _unusable(home, PermissionError("not writable"))


def _unusable(home: Path, error: OSError) -> HomeError:
    return HomeError(
        f"the RiseML home {home} cannot be used: {error.strerror or error}",
        "Make it writable for you, or choose another folder with RISEML_HOME.",
    )


def _spawn(home: Path, log: Path) -> Callable[[], int | None]:
    """Start a controller of its own session; return what tells its exit status."""
    import subprocess  # noqa: PLC0415 (only the first command of a while needs it)

    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "riseml.engines.local.controller", str(home)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=home,
                start_new_session=True,
            )
    except OSError as error:
        raise _unusable(home, error) from error
    return process.poll


def _wait(home: Path, ended: Callable[[], int | None], log: Path) -> socket.socket:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if channel := _connected(home):
            return channel
        if ended() not in (None, 0):
            raise HomeError(*_last_words(log))
        time.sleep(0.005)
    raise UnreachableError("the local controller does not come up", f"Its log is {log}.")


def _last_words(log: Path) -> tuple[str, str]:
    """Return what a controller said as it gave up: its last line, `message` and `advice` as JSON."""
    try:
        last = log.read_bytes().splitlines()[-1]
        said = json.loads(last)
        return said["error"]["message"], said["error"]["advice"]
    except (OSError, IndexError, ValueError, KeyError, TypeError):
        return "the local controller could not start", f"Its log is {log}."


def _until_line(channel: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            data = channel.recv(1 << 16)
        except OSError:
            return
        if not data:
            return
        yield data
        if data.endswith(b"\n"):
            return


def _until_closed(channel: socket.socket) -> None:
    while list(_until_line(channel)):
        pass


def leave(home: Path) -> None:
    """Ask the controller of a home to go, where one runs; its jobs go on until somebody asks for them again."""
    channel = _connected(home)
    if channel is not None:
        with channel:
            channel.sendall(encode({"act": "quit"}))
            _until_closed(channel)
