"""HTTP connections to an API server: what is reused, what is retried, and what errors say."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.cluster.transport import Response, Transport, TransportError
from riseml.errors import UnreachableError

OK = b"HTTP/1.1 200 OK\r\ndate: Sat, 28 Nov 2026 19:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Server that gives each connection a list of answers; None ends it."""

    def __init__(self, *connections: list[bytes | None]) -> None:
        self.received: list[bytes] = []
        self.go_on = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._connections = connections
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for answers in self._connections:
            client, _ = self._socket.accept()
            with client:
                for answer in answers:
                    self.received.append(client.recv(65536).split(b"\r\n")[0])
                    for part in (answer or b"").split(b"<wait>"):
                        client.sendall(part)
                        if answer and b"<wait>" in answer:
                            self.go_on.wait(60)

    def close(self) -> None:
        self.go_on.set()
        self._socket.close()
        self._thread.join(60)


@contextmanager
def serving(*connections: list[bytes | None]) -> Iterator[Server]:
    server = Server(*connections)
    try:
        yield server
    finally:
        server.close()


def get(sender: Transport, seconds: float = 60.0) -> Response:
    return sender.request(
        "GET", "/version", body=None, headers={"X": "y"}, seconds=seconds
    )


def read(sender: Transport, *, streams: bool) -> None:
    response = get(sender)
    if streams:
        list(response.stream(65536))
    response.read()


def test_requests_share_a_connection_until_the_server_closes_it() -> None:
    with serving([OK, OK], [OK]) as server:
        sender = Transport(server.url, None)
        for _ in range(2):
            response = get(sender)
            response.read()
            assert (response.status, response.data) == (200, b"{}")
            # The server writes the name in lower case.
            assert response.headers["Date"] == "Sat, 28 Nov 2026 19:00:00 GMT"
        # The server has closed it before the third request is sent.
        (connection,) = sender._idle
        assert connection.sock.recv(1, socket.MSG_PEEK) == b""
        get(sender).read()
        assert server.received == [b"GET /version HTTP/1.1"] * 3
        sender.close()


def test_a_connection_is_kept_after_a_stream_of_known_length() -> None:
    with serving([OK, OK]) as server:
        sender = Transport(server.url, None)
        for _ in range(2):
            assert list(get(sender).stream(65536)) == [b"{}"]
            (connection,) = sender._idle
            assert connection.sock is not None
        sender.close()


def test_the_connection_of_a_watch_that_has_ended_is_kept() -> None:
    event = b'{"type": "ADDED", "object": {}}\n'
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(event), event)
    with serving([CHUNKED + body, OK]) as server:
        api = Api(Connection(server.url))
        assert list(api.watch("/api/v1/pods")) == [("ADDED", {})]
        (connection,) = api._transport._idle
        assert connection.sock is not None
        assert api.get("/version") == {}
        api._transport.close()


@pytest.mark.parametrize(
    ("address", "port"), [("https://[::1]", 443), ("http://[::1]", 80)]
)
def test_an_address_of_ipv6_may_have_no_port(address: str, port: int) -> None:
    sender = Transport(address, ssl.create_default_context())
    connection = sender._new_connection()
    assert (connection.host, connection.port) == ("::1", port)


def test_unusual_characters_of_a_name_are_quoted() -> None:
    target = "/users/mü ller?labelSelector=a%3Db"
    with serving([OK]) as server:
        sender = Transport(server.url, None)
        sender.request("GET", target, body=None, headers={}, seconds=60).read()
        assert server.received == [
            b"GET /users/m%C3%BC%20ller?labelSelector=a%3Db HTTP/1.1"
        ]
        sender.close()


def test_an_answer_that_comes_before_the_end_of_a_long_body_is_read() -> None:
    answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo long"
    with serving([answer]) as server:
        sender = Transport(server.url, None)
        response = sender.request(
            "POST", "/", body=bytes(64 << 20), headers={}, seconds=60
        )
        assert (response.status, response.read()) == (413, b"too long")
        sender.close()


def test_an_address_may_have_a_path() -> None:
    with serving([OK]) as server:
        sender = Transport(f"{server.url}/k8s/clusters/c-1", None)
        get(sender).read()
        assert server.received == [b"GET /k8s/clusters/c-1/version HTTP/1.1"]
        sender.close()


def test_pieces_of_a_body_arrive_at_once() -> None:
    first = CHUNKED + b"4\r\none\n\r\n"
    with serving([first + b"<wait>" + b"4\r\ntwo\n\r\n0\r\n\r\n", OK]) as server:
        sender = Transport(server.url, None)
        pieces = get(sender).stream(65536)
        assert next(pieces) == b"one\n"
        server.go_on.set()
        assert list(pieces) == [b"two\n"]
        get(sender).read()
        sender.close()


def test_a_connection_whose_answer_was_not_read_is_not_used_again() -> None:
    first = CHUNKED + b"4\r\none\n\r\n"
    with serving([first + b"<wait>"], [OK]) as server:
        sender = Transport(server.url, None)
        pieces = get(sender).stream(65536)
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
        server.go_on.set()
        get(sender).read()
        sender.close()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "Remote end closed connection without response"),
        (OK[:-1], "Connection broken"),
        (CHUNKED + b"4\r\none", "Connection broken"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "too many redirects"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "BadStatusLine"),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_that_is_none_is_an_error_and_nothing_is_sent_again(
    answer: bytes | None, message: str, *, streams: bool
) -> None:
    with serving([answer], [OK]) as server:
        sender = Transport(server.url, None)
        with pytest.raises(TransportError, match=message):
            read(sender, streams=streams)
        assert len(server.received) == 1
        get(sender).read()
        sender.close()


def test_a_silent_server_is_an_error() -> None:
    with serving([b"<wait>"]) as server:
        api = Api(Connection(server.url))
        with pytest.raises(UnreachableError) as caught:
            api._exchange("GET", "/version", timeout=0.1)
        assert str(caught.value) == (
            f"the cluster at {server.url} does not answer"
            " (Read timed out. (read timeout=0.1))"
        )


def test_only_connecting_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(UnreachableError) as caught:
        Api(Connection(url)).get("/version")
    assert str(caught.value) == (
        f"the cluster at {url} refuses connections ([Errno 111] Connection refused)"
    )
    assert pauses == [0.0, 0.4]


def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    api = Api(Connection("http://lab.example.com"))
    with pytest.raises(UnreachableError, match="refuses connections") as caught:
        api.get("/version")
    assert (
        "(Failed to resolve 'lab.example.com' ([Errno -2] Name or service not known))"
        in str(caught.value)
    )


def test_a_server_without_tls_is_not_the_one_of_the_key() -> None:
    with serving([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        url = server.url.replace("http", "https")
        with pytest.raises(ssl.SSLError):
            get(Transport(url, ssl.create_default_context()))
    with serving([b"HTTP/1.1 400 Bad Request\r\n\r\n"]) as server:
        url = server.url.replace("http", "https")
        with pytest.raises(UnreachableError, match="is not the one of this key"):
            Api(Connection(url)).get("/version")
