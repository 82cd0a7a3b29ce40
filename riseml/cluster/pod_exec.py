"""Commands in pods over a WebSocket: standard streams as channels, then the exit status.

The protocol is Kubernetes' `v5.channel.k8s.io`, and `v4` for servers before 1.30: the
first byte of a message is its channel. Only v5 can report the end of standard input;
with v4, a command must know how much to read.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import websocket

from riseml.cluster.api import Api, path
from riseml.cluster.api_errors import refusal
from riseml.cluster.command_error import CommandError
from riseml.dataclass import dataclass
from riseml.errors import NotFoundError, RiseMLError, UnreachableError

_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
_MESSAGE_BYTES = 1 << 18
_CONNECT_SECONDS = 10.0
# If many connections are opened at once, some break in their TLS handshake.
_RETRY_PAUSES = (0.1, 0.4)


@dataclass(frozen=True)
class Output:
    """Bytes that a command wrote; the descriptor is 1 (stdout) or 2 (stderr)."""

    descriptor: int
    data: bytes


class Session:
    """Command that runs in a pod; its opener must read it to its end, or close it."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool = False,
        tty: bool = False,
    ) -> None:
        query = [("container", container), ("stdout", "true")]
        query += [("command", word) for word in command]
        if stdin:
            query.append(("stdin", "true"))
        # A terminal has only one output stream.
        query.append(("tty", "true") if tty else ("stderr", "true"))
        url = address(api, namespace, pod, "exec", query)
        self.status: int | None = None
        self._socket = connect(api, url, pod, _PROTOCOLS)

    @property
    def can_end_input(self) -> bool:
        """Whether the protocol can report the end of standard input."""
        return str(self._socket.subprotocol) == _PROTOCOLS[0]

    def send(self, data: bytes) -> None:
        """Write to the command's standard input."""
        for start in range(0, len(data), _MESSAGE_BYTES):
            self._send(_STDIN, data[start : start + _MESSAGE_BYTES])

    def end_input(self) -> None:
        """End the command's standard input, if the protocol allows."""
        if self.can_end_input:
            self._send(_CLOSE, bytes([_STDIN]))

    def resize(self, width: int, height: int) -> None:
        """Set the size of the command's terminal, in characters."""
        size = {"Width": width, "Height": height}
        self._send(_RESIZE, json.dumps(size).encode())

    def receive(self) -> Output | None:
        """Return the command's next output, or None once it has ended.

        `status` is set then.

        Raises:
            UnreachableError: the connection broke before the command ended.
        """
        while True:
            message = self._receive_message()
            if message is None:
                return None
            channel, data = message[0], message[1:]
            if channel == _ERROR:
                self.status = _exit_status(data)
                return None
            if data and channel in (_STDOUT, _STDERR):
                return Output(channel, data)

    def close(self) -> None:
        """Close the connection; a command that is still running is not stopped."""
        self._socket.shutdown()

    def _receive_message(self) -> bytes | None:
        """Return the next message that is not empty, or None after the last one."""
        while True:
            try:
                kind, message = self._socket.recv_data()
            except websocket.WebSocketConnectionClosedException:
                kind, message = websocket.ABNF.OPCODE_CLOSE, b""
            except (OSError, websocket.WebSocketException) as error:
                raise _broken(error) from None
            if kind == websocket.ABNF.OPCODE_CLOSE:
                if self.status is None:
                    raise UnreachableError(
                        "the connection to the cluster broke while a command was running"
                    )
                return None
            if message:
                return bytes(message)

    def _send(self, channel: int, data: bytes) -> None:
        try:
            self._socket.send_binary(bytes([channel]) + data)
        except (OSError, websocket.WebSocketException) as error:
            raise _broken(error) from None


def run(
    api: Api,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    stdin: Iterable[bytes] | None = None,
    on_output: Callable[[bytes], None] | None = None,
) -> bytes:
    """Run a command to its end, and return its standard output.

    With `on_output`, the output is passed to that as it arrives, and not returned.

    Raises:
        CommandError: the command's exit status is not 0.
        UnreachableError: the connection broke.
    """
    output = bytearray()
    consume = on_output or output.extend
    for data in stream(api, namespace, pod, container, command, stdin=stdin):
        consume(data)
    return bytes(output)


def stream(
    api: Api,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    stdin: Iterable[bytes] | None = None,
) -> Iterator[bytes]:
    """Run a command with `stdin` as its input, and yield its standard output.

    The command waits while the caller does not read.

    Raises:
        CommandError: the command's exit status is not 0.
        UnreachableError: the connection broke.
    """
    session = Session(api, namespace, pod, container, command, stdin=stdin is not None)
    yield from transfer(session, stdin)


def transfer(session: Session, stdin: Iterable[bytes] | None) -> Iterator[bytes]:
    """Give a command the rest of its input, yield its standard output, and close the session.

    Raises:
        CommandError: the command's exit status is not 0.
        UnreachableError: the connection broke.
    """
    feeder = _Feeder(session, stdin) if stdin is not None else None
    errors = bytearray()
    try:
        while (output := session.receive()) is not None:
            if output.descriptor == _STDERR:
                errors += output.data
            else:
                yield output.data
    except UnreachableError:
        # The feeder closes the connection when its source fails.
        if feeder and feeder.failure:
            raise feeder.failure from None
        raise
    finally:
        session.close()
    if feeder:
        feeder.finish()
    if session.status:
        raise CommandError(session.status, errors.decode(errors="replace"))


class _Feeder:
    """Thread that writes a command's input; `finish` raises what its source raised."""

    def __init__(self, session: Session, chunks: Iterable[bytes]) -> None:
        self.failure: BaseException | None = None
        self._session, self._chunks = session, chunks
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        try:
            for chunk in self._chunks:
                self._session.send(chunk)
            self._session.end_input()
        except UnreachableError:
            # The command ended early; its exit status and output tell why.
            return
        except BaseException as error:  # noqa: BLE001
            # `finish` raises it in the thread that reads the output.
            self.failure = error
            self._session.close()

    def finish(self) -> None:
        """Wait until all input is written, and raise the failure of its source."""
        self._thread.join(timeout=_CONNECT_SECONDS)
        if self.failure:
            raise self.failure


def connect(api: Api, url: str, pod: str, protocols: Sequence[str]) -> Any:
    """Return a WebSocket to a subresource of a pod.

    Raises:
        NotFoundError: there is no such pod.
        NotAllowedError: the user may not access it.
        UnreachableError: the cluster does not answer.
    """
    return api.with_renewal(partial(_connect, api, url, pod, protocols))


def _connect(api: Api, url: str, pod: str, protocols: Sequence[str]) -> Any:
    for pause in (*_RETRY_PAUSES, None):
        try:
            return _open_socket(api, url, protocols)
        except websocket.WebSocketBadStatusException as error:
            raise _refused(api, pod, error) from None
        except (OSError, websocket.WebSocketException) as error:
            # After any other error, the command may have started: it must not run twice.
            can_retry = isinstance(error, ssl.SSLError | ConnectionRefusedError)
            if pause is None or not can_retry:
                raise UnreachableError(
                    f"the cluster at {api.connection.server} does not answer ({error})"
                ) from None
            time.sleep(pause)
    raise AssertionError


def address(
    api: Api,
    namespace: str,
    pod: str,
    subresource: str,
    query: Sequence[tuple[str, str]],
) -> str:
    """Return the WebSocket URL of a pod's subresource."""
    server = api.connection.server.replace("http", "ws", 1)
    return f"{server}{path('pods', namespace, pod)}/{subresource}?{urlencode(query)}"


def _open_socket(api: Api, url: str, protocols: Sequence[str]) -> Any:
    headers = [f"{name}: {value}" for name, value in api.headers.items()]
    tls: dict[str, Any] = {"cert_reqs": ssl.CERT_REQUIRED}
    if url.startswith("wss"):
        tls = {"context": api.tls}
    socket = websocket.create_connection(
        url,
        header=headers,
        sslopt=tls,
        subprotocols=protocols,
        timeout=_CONNECT_SECONDS,
        enable_multithread=True,
    )
    # A command may be silent for any time.
    socket.settimeout(None)
    return socket


def _refused(
    api: Api, pod: str, error: websocket.WebSocketBadStatusException
) -> RiseMLError:
    body = error.resp_body or b""
    data = body if isinstance(body, bytes) else body.encode()
    refused = refusal(error.status_code, data, api.connection)
    if isinstance(refused, NotFoundError):
        return NotFoundError(f"there is no pod {pod}")
    return refused


def _broken(error: Exception) -> UnreachableError:
    return UnreachableError(f"the connection to the cluster broke: {error}")


def _exit_status(data: bytes) -> int:
    """Return the exit status in a message of the error channel."""
    result = json.loads(data)
    if result.get("status") == "Success":
        return 0
    for cause in result.get("details", {}).get("causes", ()):
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise UnreachableError(
        f"a command in the cluster could not run: {result.get('message', '')}"
    )
