"""How commands and the controller of a home talk: one JSON line there, one back, over a socket in the home.

Reading needs no talk: commands read the database. Errors travel as their class, message and advice.
"""

import json
import os
import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from riseml import __version__, errors
from riseml.errors import HomeError, RiseMLError, UnreachableError

CONTROLLER = (sys.executable, "-m", "riseml.engines.local.controller")
"""The command of a controller, before the arguments HOME and READY_FD."""

# The descriptor on which a controller says that it is ready
_READY = 3
# Of a controller that nobody waits for
_ARGUMENTS = 2
# Bytes of a socket's path, macOS' limit; Linux allows 107
_LONGEST = 103
# A controller may be killed just when somebody calls
_TRIES = 5
# Seconds that an answer may take: a first submission of thousands of experiments needs some
_LONG = 600.0
# Seconds that a controller may take to come up: adopting thousands of nodes needs some
PATIENCE = 30.0


def log_file(home: Path) -> Path:
    """Return the log of a home's controller."""
    return home / "controller.log"


def encode(reply: dict[str, Any]) -> bytes:
    """Write one message."""
    return json.dumps(reply, separators=(",", ":")).encode() + b"\n"


def failure(error: RiseMLError) -> dict[str, Any]:
    """Write an error as a reply."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": str(error),
            "advice": error.advice,
        }
    }


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
    return _said(json.loads(line))


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
    for _ in range(_TRIES):
        channel = _connected(home)
        if channel is None:
            _prepare(home)
            log = home / "controller.log"
            channel = _wait(home, _spawn(home, log), log)
        with channel:
            if (version := _greeting(channel, home)) == __version__:
                channel.settimeout(_LONG)
                yield channel
                return
            if version:
                with suppress(OSError):
                    channel.sendall(
                        encode({"act": "quit"})
                    )  # its jobs go on, the next one adopts them
                _until_closed(channel)
    raise UnreachableError(
        "the local controller goes away as soon as it is there",
        f"Its log is {home / 'controller.log'}.",
    )


def _greeting(channel: socket.socket, home: Path) -> str:
    """Return the version of the controller at the other end, empty where it went away meanwhile."""
    channel.settimeout(PATIENCE)
    data = b""
    while not data.endswith(b"\n"):
        try:
            piece = channel.recv(1 << 12)
        except TimeoutError:
            raise UnreachableError(
                "the local controller does not answer",
                f"End it (its pid is in {home / 'controller.lock'}): jobs go on, and the next command starts another.",
            ) from None
        except OSError:
            return ""
        if not piece:
            return ""
        data += piece
    version: str = json.loads(data)["version"]
    return version


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


def _spawn(home: Path, log: Path) -> int:
    """Start a controller that is nobody's child; return where it says that it is ready, or why it cannot be."""
    ready, there = os.pipe()
    run = [*CONTROLLER, str(home), str(_READY)]
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
            dup = [
                (os.POSIX_SPAWN_DUP2, old, new)
                for old, new in ((output, 1), (output, 2), (there, _READY))
            ]
            shell = ["/bin/sh", "-c", 'cd "$1"; shift; "$@" &', "sh", str(home), *run]
            os.waitpid(
                os.posix_spawn(
                    "/bin/sh", shell, _own(), file_actions=[*actions, *dup], setsid=True
                ),
                0,
            )
        finally:
            os.close(output)
            os.close(there)
    except OSError as error:
        os.close(ready)
        raise _unusable(home, error) from error
    return ready


def _own() -> dict[str, str]:
    """Return the environment of a controller: one that a job starts (`riseml train` in a run) is no part of it."""
    return {
        name: value for name, value in os.environ.items() if name != "RISEML_JOB_KEY"
    }


def _wait(home: Path, ready: int, log: Path) -> socket.socket:
    """Return a channel to a controller that was just started."""
    with os.fdopen(ready, "rb") as pipe:
        if not select.select([pipe], [], [], PATIENCE)[0]:
            raise UnreachableError(
                "the local controller does not come up", f"Its log is {log}."
            )
        line = pipe.readline()
    if not line:
        raise UnreachableError(
            "the local controller could not start", f"Its log is {log}."
        )
    _said(json.loads(line))
    channel = _connected(home)
    if channel is None:
        raise UnreachableError(
            "the local controller went away as soon as it was there",
            f"Its log is {log}.",
        )
    return channel


def awaited() -> bool:
    """Whether a command waits for this controller: not for one that the end of a job has started."""
    return len(sys.argv) > _ARGUMENTS


def ready(reply: dict[str, Any]) -> None:
    """Tell the command that started this controller, where there is one, how it went."""
    if awaited():
        with suppress(OSError), os.fdopen(int(sys.argv[2]), "wb") as pipe:
            pipe.write(encode(reply))
        del sys.argv[2]


def _said(answer: dict[str, Any]) -> Any:
    """Return what an answer holds, or raise the error that it tells of."""
    if said := answer.get("error"):
        kind = getattr(errors, said["kind"], RiseMLError)
        raise (RiseMLError if kind is errors.ConfigError else kind)(
            said["message"], said["advice"]
        )
    return answer.get("ok")


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
        # It may be about to go by itself
        with channel, suppress(ConnectionError):
            channel.sendall(encode({"act": "quit"}))
            _until_closed(channel)
