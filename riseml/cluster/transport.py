"""HTTP connections to one server: they are kept between requests, and only connecting is retried.

`urllib3` would do as well, and takes 20 ms more to load than `http.client`: a tenth of a
`riseml train` on a cluster.
"""

import select
import socket
import ssl
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import (
    HTTP_PORT,
    HTTPS_PORT,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from urllib.parse import quote, urlsplit

_CONNECT_SECONDS = 5.0
# The pauses before further tries to connect.
_PAUSES = (0.0, 0.4)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Everything that may occur in a target, also what is quoted already.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


class TransportError(OSError):
    """A request got no answer, or only a part of it; `is_refused`: there is no connection."""

    def __init__(self, message: str, *, is_refused: bool = False) -> None:
        super().__init__(message)
        self.is_refused = is_refused


class Response:
    """Answer to a request, whose body is read with `read` or `stream`; `data` is what was read."""

    def __init__(self, transport: "Transport", connection: HTTPConnection) -> None:
        self._transport, self._connection = transport, connection
        self._answer: HTTPResponse = connection.getresponse()
        self.status, self.data = self._answer.status, b""
        # Proxies may write their names in another way.
        headers = self._answer.headers.items()
        self.headers = {name.title(): text for name, text in headers}

    def read(self) -> bytes:
        """Return the whole body.

        Raises:
            TransportError: the connection broke.
        """
        try:
            self.data = self._answer.read()
        except (HTTPException, OSError) as error:
            raise self._broken(error) from None
        self._keep()
        return self.data

    def stream(self, size: int) -> Iterator[bytes]:
        """Yield the body in pieces as they arrive, of at most so many bytes.

        Raises:
            TransportError: the connection broke.
        """
        try:
            while piece := self._answer.read1(size):
                yield piece
            # http.client takes the end of a connection for the end of a body.
            if self._answer.length:
                raise IncompleteRead(b"", self._answer.length)
            # http.client leaves an answer open that says how long it is.
            self._answer.close()
            self._keep()
        except (HTTPException, OSError) as error:
            raise self._broken(error) from None
        finally:
            # The reader may have stopped before the end.
            if not self._answer.isclosed():
                self.close()

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()
        self._connection.close()

    def _keep(self) -> None:
        """Leave the connection to the next request."""
        if self._answer.will_close:
            self.close()
        else:
            self._transport.keep(self._connection)

    def _broken(self, error: Exception) -> TransportError:
        self.close()
        if isinstance(error, TimeoutError):
            return _read_timeout(self._connection)
        return TransportError(f"Connection broken: {error!r}")


class Transport:
    """Connections to a server, given its URL; several threads may use it at once.

    `tls` are the settings of connections that are encrypted.
    """

    def __init__(self, server: str, tls: ssl.SSLContext | None) -> None:
        address = urlsplit(server)
        self._tls = tls if address.scheme == "https" else None
        default_port = HTTP_PORT if self._tls is None else HTTPS_PORT
        # Without a port, http.client takes the end of an IPv6 address for one.
        self._port = address.port or default_port
        self._host = address.hostname or ""
        self._path = address.path
        self._idle: list[HTTPConnection] = []
        # Else each of them would be reported as left open.
        weakref.finalize(self, _close, self._idle)

    def request(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
    ) -> Response:
        """Send a request and return the answer, at most `seconds` later.

        Raises:
            SSLError: the server's certificate is not that of the server.
            TransportError: there is no answer.
        """
        connection = self._take() or self._connect()
        connection.timeout = seconds
        connection.sock.settimeout(seconds)
        url = quote(f"{self._path}{target}", _SAFE, errors="surrogateescape")
        try:
            # A server may answer before it has read all of a body that is too long.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, url, body, dict(headers))
            response = Response(self, connection)
        except (HTTPException, OSError) as error:
            connection.close()
            raise _failure(connection, error) from None
        if response.status in _REDIRECTS:
            response.close()
            raise TransportError("too many redirects")
        return response

    def keep(self, connection: HTTPConnection) -> None:
        """Keep a connection for another request."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that no request uses."""
        _close(self._idle)

    def _take(self) -> HTTPConnection | None:
        """Return a kept connection that still works."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                # Another thread has taken it.
                return None
            if not _is_dropped(connection.sock):
                return connection
            connection.close()
        return None

    def _connect(self) -> HTTPConnection:
        for pause in _PAUSES:
            try:
                return self._connect_once()
            except TransportError:
                time.sleep(pause)
        return self._connect_once()

    def _connect_once(self) -> HTTPConnection:
        connection = self._new_connection()
        try:
            connection.connect()
        except OSError as error:
            is_refused = connection.sock is None
            connection.close()
            if is_refused:
                raise _no_connection(connection, error) from None
            raise _failure(connection, error) from None
        return connection

    def _new_connection(self) -> HTTPConnection:
        if self._tls is None:
            return HTTPConnection(self._host, self._port, timeout=_CONNECT_SECONDS)
        return HTTPSConnection(
            self._host, self._port, timeout=_CONNECT_SECONDS, context=self._tls
        )


def _no_connection(connection: HTTPConnection, error: OSError) -> TransportError:
    """Return the error for a server that cannot be connected to."""
    host = connection.host
    if isinstance(error, TimeoutError):
        return TransportError(
            f"Connection to {host} timed out. (connect timeout={_CONNECT_SECONDS})"
        )
    detail = str(error)
    if isinstance(error, socket.gaierror):
        detail = f"Failed to resolve '{host}' ({error})"
    return TransportError(detail, is_refused=True)


def _failure(connection: HTTPConnection, error: Exception) -> OSError:
    """Return the error for a connected server that does not answer."""
    if isinstance(error, ssl.SSLError):
        return error
    if isinstance(error, TimeoutError):
        return _read_timeout(connection)
    return TransportError(f"('Connection aborted.', {error!r})")


def _read_timeout(connection: HTTPConnection) -> TransportError:
    return TransportError(f"Read timed out. (read timeout={connection.timeout})")


def _is_dropped(connection: socket.socket | None) -> bool:
    """Return whether the other end has closed a connection that nobody uses."""
    if connection is None:
        return True
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    return bool(waiting.poll(0))


def _close(connections: list[HTTPConnection]) -> None:
    while connections:
        connections.pop().close()
