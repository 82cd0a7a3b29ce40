"""Protocol between commands and the controller of a home: JSON lines over a socket in the home.

    command ── {"act": "stop", "number": 14} ──▶ controller
            ◀── {"ok": true}, or {"error": …} ──

A controller greets with its version; a command replaces one of another version. Commands
read the database directly, so only changes travel here. Errors travel as their class,
message and advice.
"""

import json
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riseml import __version__, errors, home_folder
from riseml.engines.local import detached
from riseml.errors import RiseMLError, UnreachableError

if TYPE_CHECKING:
    from socket import socket

CONTROLLER = (sys.executable, "-m", "riseml.engines.local.controller")
"""The command of a controller, before the arguments HOME and READY_FD."""

START_TIMEOUT_SECONDS = 30.0
"""Time that a controller has to start; adopting thousands of nodes takes some seconds."""

_ARGUMENTS_WITH_READY_FD = 3
# The limit of macOS for the path of a socket; Linux allows 107 bytes.
_SOCKET_PATH_LIMIT_BYTES = 103
# A controller may exit just when a command connects, or be killed as it starts.
_CONNECT_PAUSES_SECONDS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_REQUEST_ATTEMPTS = 5
# Submitting thousands of experiments takes a while.
_REPLY_TIMEOUT_SECONDS = 600.0
_GREETING_BYTES = 1 << 12
_REPLY_BYTES = 1 << 16


def log_file(home: Path) -> Path:
    """Return the log of a home's controller."""
    return home / "controller.log"


def encode(message: dict[str, Any]) -> bytes:
    """Return the line of a message."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def failure(error: RiseMLError) -> dict[str, Any]:
    """Return the reply for an error."""
    return {
        "error": {
            "kind": type(error).__name__,
            "message": str(error),
            "advice": error.advice,
        }
    }


# Commands


class AnswerLostError(UnreachableError):
    """The controller has exited before it answered a request, which may have taken effect."""


Greeting = Mapping[str, Any]
"""What a controller says first: its version, and bounds as of `jobs/attributes.py`."""


def _suits(_: Greeting) -> bool:
    return True


def call(
    home: Path,
    act: str,
    *,
    suits: Callable[[Greeting], bool] = _suits,
    **arguments: Any,
) -> Any:
    """Send a request to the controller of a home, and return its answer.

    If no controller is running, this starts one. One that does not suit is replaced.

    Raises:
        AnswerLostError: the controller exited before it answered.
        RiseMLError: the controller refuses the request, or cannot be reached.
    """
    line = b""
    with connection(home, suits) as channel, suppress(ConnectionError):
        channel.sendall(encode({"act": act, **arguments}))
        line = b"".join(_until_line(channel))
    if not line.endswith(b"\n"):
        raise AnswerLostError(
            "the local controller exited before answering",
            f"Check with `riseml status` whether the command took effect. See {log_file(home)}.",
        )
    return _answer(json.loads(line))


def call_until_answered(home: Path, act: str, **arguments: Any) -> Any:
    """Send a request, and repeat it with `again` if a controller exits before it answers.

    Only for requests that the controller recognizes: it carries them out once. See
    `call` for the arguments.

    Raises:
        AnswerLostError: several controllers exited before they answered.
        RiseMLError: the controller refuses the request, or cannot be reached.
    """
    with suppress(AnswerLostError):
        return call(home, act, **arguments)
    for _ in range(_REQUEST_ATTEMPTS - 2):
        with suppress(AnswerLostError):
            return call(home, act, **arguments, again=True)
    return call(home, act, **arguments, again=True)


def answers(home: Path) -> bool:
    """Return whether a controller serves this home now."""
    channel = _connect(home)
    if channel is None:
        return False
    channel.close()
    return True


def ensure(home: Path, suits: Callable[[Greeting], bool] = _suits) -> None:
    """Start a controller if none is running; on return it has restored all runs.

    One that does not suit is replaced.

    Raises:
        RiseMLError: it cannot be started.
    """
    with connection(home, suits):
        pass


@contextmanager
def connection(
    home: Path, suits: Callable[[Greeting], bool] = _suits
) -> Iterator["socket"]:
    """Yield a connection to a controller of this version of riseml, started if necessary.

    One that does not suit is replaced as well, since the new one is a child of this
    process. It is used if another command has started the new one.

    Raises:
        RiseMLError: it cannot be started, or does not answer.
    """
    other_version = ""
    for pause_seconds in _CONNECT_PAUSES_SECONDS:
        time.sleep(pause_seconds)
        channel = _connect(home)
        if channel is None:
            home_folder.prepare(home)
            channel = _await_start(home, _spawn(home))
        if channel is None:
            continue
        with channel:
            greeting = _greeting(channel, home)
            is_current = greeting.get("version") == __version__
            if is_current and suits(greeting):
                channel.settimeout(_REPLY_TIMEOUT_SECONDS)
                yield channel
                return
            if is_current:
                suits = _suits
            if greeting:
                version = greeting.get("version", "of an earlier version")
                other_version = "" if is_current else version
                # Its jobs continue, and the next controller adopts them.
                with suppress(OSError):
                    channel.sendall(encode({"act": "quit"}))
                _until_closed(channel)
    raise _gone(home, other_version)


def _gone(home: Path, other_version: str) -> UnreachableError:
    """Return the error that no controller stays; `other_version` is that of the last, empty if it was right."""
    log = f"See {log_file(home)}."
    if not other_version:
        return UnreachableError(
            "the local controller exits as soon as it has started", log
        )
    package = Path(home_folder.__file__).parent
    return UnreachableError(
        f"this command is RiseML {__version__}, but each local controller that starts is RiseML {other_version}",
        f"This command loads {package}. Run it in another folder to use the installed version, or set "
        f"PYTHONPATH={package.parent} to use this one. If two versions are in use at the same time, give one "
        f"another RISEML_HOME. {log}",
    )


def stop_controller(home: Path) -> None:
    """Ask the controller of a home to exit, if one is running; its jobs continue."""
    channel = _connect(home)
    if channel is None:
        return
    # It may be exiting already.
    with channel, suppress(ConnectionError):
        channel.sendall(encode({"act": "quit"}))
        _until_closed(channel)


def _answer(reply: dict[str, Any]) -> Any:
    """Return the answer in a reply, or raise its error."""
    error = reply.get("error")
    if not error:
        return reply.get("ok")
    kind = getattr(errors, error["kind"], RiseMLError)
    if kind is errors.ConfigError:
        # That class takes other arguments than a message.
        kind = RiseMLError
    raise kind(error["message"], error["advice"])


def _greeting(channel: "socket", home: Path) -> Greeting:
    """Return what the controller says first; empty if it has exited meanwhile."""
    channel.settimeout(START_TIMEOUT_SECONDS)
    data = b""
    while not data.endswith(b"\n"):
        try:
            piece = channel.recv(_GREETING_BYTES)
        except TimeoutError:
            raise UnreachableError(
                "the local controller does not answer",
                f"Stop it (its pid is in {home / 'controller.lock'}): jobs continue, and the next command starts "
                f"another. See {log_file(home)}.",
            ) from None
        except OSError:
            return {}
        if not piece:
            return {}
        data += piece
    greeting: Greeting = json.loads(data)
    return greeting


@contextmanager
def short_socket_path(home: Path) -> Iterator[str]:
    """Yield a path of the home's socket that is as short as the system requires."""
    path = str(home / "controller.sock")
    is_short = len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT_BYTES
    if is_short or not Path("/proc/self/fd").is_dir():
        yield path
        return
    directory = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/controller.sock"
    finally:
        os.close(directory)


def _connect(home: Path) -> "socket | None":
    # Lists of ended runs need no controller, and this takes 3 ms to load.
    import socket  # noqa: PLC0415

    channel = socket.socket(socket.AF_UNIX)
    try:
        with short_socket_path(home) as path:
            channel.connect(path)
    except OSError:
        channel.close()
        return None
    return channel


def _until_line(channel: "socket") -> Iterator[bytes]:
    while True:
        try:
            data = channel.recv(_REPLY_BYTES)
        except OSError:
            return
        if not data:
            return
        yield data
        if data.endswith(b"\n"):
            return


def _until_closed(channel: "socket") -> None:
    while list(_until_line(channel)):
        pass


# Start of a controller, by the command


def _spawn(home: Path) -> int:
    """Start a controller that is not a child of this process.

    Returns a descriptor on which the controller reports that it is ready, or why it
    cannot serve the home.
    """
    reader, writer = os.pipe()
    try:
        output = _open_log(home)
        try:
            detached.run([*CONTROLLER, str(home)], home, output, writer)
        finally:
            os.close(output)
            os.close(writer)
    except OSError as error:
        os.close(reader)
        raise home_folder.unusable(home, error) from error
    return reader


def _open_log(home: Path) -> int:
    """Open the output of a controller; a log that cannot be written stops none."""
    try:
        return home_folder.open_file(log_file(home), os.O_WRONLY | os.O_APPEND)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _await_start(home: Path, ready: int) -> "socket | None":
    """Return a connection to a controller that was just started; None if it is gone."""
    with os.fdopen(ready, "rb") as pipe:
        is_readable, _, _ = select.select([pipe], [], [], START_TIMEOUT_SECONDS)
        if not is_readable:
            raise UnreachableError(
                "the local controller does not start", f"See {log_file(home)}."
            )
        line = pipe.readline()
    if not line.endswith(b"\n"):
        return None
    _answer(json.loads(line))
    return _connect(home)


# Start of a controller, in itself


def ready_descriptors() -> tuple[int, ...]:
    """Return the descriptor of `report_start`, if there is one."""
    return (int(sys.argv[-1]),) if is_awaited() else ()


def is_awaited() -> bool:
    """Return whether a command waits for this controller.

    The end of a job starts controllers, too, and no command waits for those.
    """
    return len(sys.argv) >= _ARGUMENTS_WITH_READY_FD


def keep_report_private() -> None:
    """Keep the pipe of `report_start` from child processes, which could hold it open."""
    for descriptor in ready_descriptors():
        os.set_inheritable(descriptor, False)


def report_start(reply: dict[str, Any]) -> None:
    """Tell the command that started this controller, if any, whether it is ready."""
    if not is_awaited():
        return
    descriptor = int(sys.argv.pop())
    with suppress(OSError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(encode(reply))
