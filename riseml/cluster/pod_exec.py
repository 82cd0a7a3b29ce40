"""Commands in a cluster's pods, over a WebSocket: standard streams as channels, the exit status at the end.

Protocol: Kubernetes' `v5.channel.k8s.io`, of servers before 1.30 `v4`: the first byte of each message is the channel.
Only v5 can say that standard input has ended; for v4 a command must know how much to read.
"""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import websocket

from riseml.cluster.api import Api, path
from riseml.cluster.api_errors import refusal
from riseml.errors import NotFoundError, RiseMLError, UnreachableError

_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
# Bytes of standard input that one message holds
_PIECE = 1 << 18
# Seconds
_CONNECT = 10.0
_PAUSES = (
    0.1,
    0.4,
)  # seconds before a further try: of many connections at once, some break in their TLS handshake


class CommandError(RiseMLError):
    """A command in a pod has failed: `status` is its exit status, `output` what it wrote to standard error."""

    def __init__(self, status: int, output: str, advice: str = "") -> None:
        super().__init__(
            output.strip().rpartition("\n")[2]
            or f"a command in the cluster ended with {status}",
            advice,
        )
        self.status, self.output = status, output


class Session:
    """A command that runs in a pod; whoever opened it reads until its end."""

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
        query: list[tuple[str, str]] = [("container", container), ("stdout", "true")]
        query += [("command", word) for word in command]
        query += [("stdin", "true")] if stdin else []
        query += [("tty", "true")] if tty else [("stderr", "true")]
        self.status: int | None = None
        self._socket = connect(
            api, address(api, namespace, pod, "exec", query), pod, _PROTOCOLS
        )

    @property
    def can_end_input(self) -> bool:
        """Whether the command can be told that its input has ended."""
        return str(self._socket.subprotocol) == _PROTOCOLS[0]

    def send(self, data: bytes) -> None:
        """Write to the command's standard input."""
        for start in range(0, len(data), _PIECE):
            self._write(bytes([_STDIN]) + data[start : start + _PIECE])

    def end_input(self) -> None:
        """Let the command see the end of its input, where the server can say so."""
        if self.can_end_input:
            self._write(bytes([_CLOSE, _STDIN]))

    def resize(self, width: int, height: int) -> None:
        """Tell a command with a terminal how large it is."""
        self._write(
            bytes([_RESIZE]) + json.dumps({"Width": width, "Height": height}).encode()
        )

    def receive(self) -> tuple[int, bytes] | None:
        """Return what the command wrote next and where (1: stdout, 2: stderr); None once it has ended.

        Raises:
            UnreachableError: the connection broke before the command had ended.
        """
        while True:
            try:
                kind, message = self._socket.recv_data()
            except websocket.WebSocketConnectionClosedException:
                kind, message = websocket.ABNF.OPCODE_CLOSE, b""
            except (OSError, websocket.WebSocketException) as error:
                raise UnreachableError(
                    f"the connection to the cluster broke: {error}"
                ) from None
            if kind == websocket.ABNF.OPCODE_CLOSE:
                if self.status is None:
                    raise UnreachableError(
                        "the connection to the cluster broke in the middle of a command"
                    )
                return None
            if not message:
                continue
            channel, data = message[0], message[1:]
            if channel == _ERROR:
                self.status = _status(data)
                return None
            if data and channel in (_STDOUT, _STDERR):
                return channel, data

    def close(self) -> None:
        """Leave; a command that has not ended is left alone."""
        self._socket.shutdown()

    def _write(self, message: bytes) -> None:
        try:
            self._socket.send_binary(message)
        except (OSError, websocket.WebSocketException) as error:
            raise UnreachableError(
                f"the connection to the cluster broke: {error}"
            ) from None


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
    """Run a command to its end and return what it wrote; `on_output` gets that bit by bit. See `stream`."""
    written = bytearray()
    take = on_output or written.extend
    for data in stream(api, namespace, pod, container, command, stdin=stdin):
        take(data)
    return bytes(written)


def stream(
    api: Api,
    namespace: str,
    pod: str,
    container: str,
    command: Sequence[str],
    *,
    stdin: Iterable[bytes] | None = None,
) -> Iterator[bytes]:
    """Run a command, feed it with `stdin`, and yield what it writes; who does not ask for more lets it wait.

    Raises:
        CommandError: its exit status is not 0.
        UnreachableError: the connection broke.
    """
    session = Session(api, namespace, pod, container, command, stdin=stdin is not None)
    feeder = _Feeder(session, stdin) if stdin is not None else None
    complained = bytearray()
    try:
        while (received := session.receive()) is not None:
            channel, data = received
            if channel == _STDERR:
                complained += data
            else:
                yield data
    except UnreachableError:
        if feeder and feeder.failure:
            raise feeder.failure from None
        raise
    finally:
        session.close()
    if feeder:
        feeder.finish()
    if session.status:
        raise CommandError(session.status, complained.decode(errors="replace"))


class _Feeder:
    """A thread that writes a command's input; what goes wrong where that comes from is raised in the other thread."""

    def __init__(self, session: Session, pieces: Iterable[bytes]) -> None:
        self.failure: BaseException | None = None
        self._session, self._pieces = session, pieces
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        try:
            for piece in self._pieces:
                self._session.send(piece)
            self._session.end_input()
        except UnreachableError:
            # The command has ended early, and says why
            return
        except BaseException as error:  # noqa: BLE001
            # It is raised by `finish`
            self.failure = error
            self._session.close()

    def finish(self) -> None:
        """Wait for the end of it."""
        self._thread.join(timeout=_CONNECT)
        if self.failure:
            raise self.failure


def connect(api: Api, url: str, pod: str, protocols: Sequence[str]) -> Any:
    """Return a WebSocket to a subresource of a pod.

    Raises:
        NotFoundError: there is no such pod.
        NotAllowedError: it is not for this user.
        UnreachableError: nobody answers.
    """
    for pause in (*_PAUSES, None):
        try:
            return _connected(api, url, protocols)
        except websocket.WebSocketBadStatusException as error:
            body = error.resp_body or b""
            told = refusal(
                error.status_code,
                body if isinstance(body, bytes) else body.encode(),
                api.connection,
            )
            if isinstance(told, NotFoundError):
                raise NotFoundError(f"there is no pod {pod} to talk to") from None
            raise told from None
        except (OSError, websocket.WebSocketException) as error:
            if pause is None or not isinstance(
                error, ssl.SSLError | ConnectionRefusedError
            ):  # it may have begun
                raise UnreachableError(
                    f"the cluster at {api.connection.server} does not answer ({error})"
                ) from None
            time.sleep(pause)
    raise AssertionError


def _connected(api: Api, url: str, protocols: Sequence[str]) -> Any:
    headers = [f"{name}: {value}" for name, value in api.headers.items()]
    tls = (
        {"context": api.tls}
        if url.startswith("wss")
        else {"cert_reqs": ssl.CERT_REQUIRED}
    )
    socket = websocket.create_connection(
        url,
        header=headers,
        sslopt=tls,
        subprotocols=protocols,
        timeout=_CONNECT,
        enable_multithread=True,
    )
    socket.settimeout(None)
    return socket


def address(
    api: Api,
    namespace: str,
    pod: str,
    subresource: str,
    query: Sequence[tuple[str, str]],
) -> str:
    """Return the URL at which a pod's subresource takes a WebSocket."""
    server = api.connection.server.replace("http", "ws", 1)
    return f"{server}{path('pods', namespace, pod)}/{subresource}?{urlencode(query)}"


def _status(data: bytes) -> int:
    """Return the exit status that the error channel tells."""
    told = json.loads(data)
    if told.get("status") == "Success":
        return 0
    causes = told.get("details", {}).get("causes", ())
    code = next(
        (cause["message"] for cause in causes if cause.get("reason") == "ExitCode"),
        None,
    )
    if code is None:
        raise UnreachableError(
            f"a command in the cluster could not run: {told.get('message', '')}"
        )
    return int(code)
