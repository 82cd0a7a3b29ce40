"""Renewal of credentials that the API server does not accept any more."""

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from riseml.cluster.api import Api
from riseml.cluster.api_errors import NotAuthenticatedError
from riseml.cluster.connection import Connection, from_kubeconfig

# Each call gives the next token: token-1, token-2, …
_PLUG_IN = """
import json, pathlib
calls = pathlib.Path({calls!r})
with calls.open("a") as file:
    file.write("called\\n")
number = len(calls.read_text().splitlines())
print(json.dumps({{
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {{"token": f"token-{{number}}"}},
}}))
"""


class Server(ThreadingHTTPServer):
    """API server that accepts one token only, and keeps those that it was sent."""

    def __init__(self) -> None:
        self.accepted = "token-1"
        self.sent: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.sent.append(token)
        is_accepted = token == self.server.accepted
        self.send_response(200 if is_accepted else 401)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def api(server: Server, tmp_path: Path) -> Api:
    """Return the API for a user whose plug-in gives a new token each time."""
    script = tmp_path / "plug_in.py"
    script.write_text(_PLUG_IN.format(calls=str(tmp_path / "calls")))
    login = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(script)],
    }
    content = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "ana"}}],
        "clusters": [
            {
                "name": "lab",
                "cluster": {"server": f"http://127.0.0.1:{server.server_port}"},
            }
        ],
        "users": [{"name": "ana", "user": {"exec": login}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(content))
    return Api(from_kubeconfig(file))


def test_an_expired_token_is_renewed_and_the_request_repeated(
    api: Api, server: Server
) -> None:
    assert api.get("/version") == {}
    server.accepted = "token-2"
    assert api.get("/version") == {}
    assert api.get("/version") == {}
    assert server.sent == ["token-1", "token-1", "token-2", "token-2"]
    assert api.headers["Authorization"] == "Bearer token-2"


def test_a_request_is_repeated_only_once(api: Api, server: Server) -> None:
    server.accepted = "another"
    with pytest.raises(NotAuthenticatedError):
        api.get("/version")
    assert server.sent == ["token-1", "token-2"]


def test_threads_renew_once(api: Api, server: Server, tmp_path: Path) -> None:
    server.accepted = "token-2"
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(api.get, ["/version"] * 8)) == [{}] * 8
    # The first call was for the connection itself.
    assert (tmp_path / "calls").read_text().splitlines() == ["called"] * 2


def test_a_key_is_not_renewed(server: Server) -> None:
    api = Api(Connection(f"http://127.0.0.1:{server.server_port}", token="revoked"))
    with pytest.raises(NotAuthenticatedError, match="does not accept this key"):
        api.get("/version")
    assert server.sent == ["revoked"]
