"""The check of the Argo Server: paths, tokens, and programs that are none."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.cluster.connection import Connection
from riseml.doctor import namespace
from riseml.doctor.check_context import CheckContext
from riseml.doctor.findings import FAILED, OK, SKIPPED, Outcome

VERSION = b'{"version": "v4.1.2"}'


class Server(ThreadingHTTPServer):
    """Argo Server behind a proxy: its API is below /argo, everything else a web page."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.accepted = "Bearer key"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast(Server, self.server)
        is_api = self.path == "/argo/api/v1/version"
        is_accepted = self.headers["Authorization"] == server.accepted
        self.send_response(401 if is_api and not is_accepted else 200)
        self.end_headers()
        self.wfile.write(VERSION if is_api else b"<!doctype html><html>")

    def log_message(self, *args: Any) -> None:
        """Be silent."""


@pytest.fixture
def check() -> Iterator[Callable[..., Outcome]]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def checked(path: str = "/argo", token: str = "key") -> Outcome:
            url = f"http://127.0.0.1:{server.server_port}{path}"
            connection = Connection("https://127.0.0.1:1", token=token, argo=url)
            api = SimpleNamespace(connection=connection)
            return namespace._argo_server(cast(CheckContext, SimpleNamespace(api=api)))

        yield checked
        server.shutdown()


def test_a_server_with_a_path(check: Callable[..., Outcome]) -> None:
    outcome = check()
    assert outcome.result == OK
    assert outcome.detail.endswith("/argo")


def test_a_path_that_nobody_removes_from_requests(
    check: Callable[..., Outcome],
) -> None:
    outcome = check("/other")
    assert outcome.result == FAILED
    assert outcome.detail.endswith("/other answers with a web page")
    assert "a proxy in front of it has to remove the path" in outcome.fix


def test_the_token_of_single_sign_on(
    check: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(token="").result == SKIPPED
    monkeypatch.setenv("ARGO_TOKEN", "Bearer key")
    assert check(token="").result == OK
    monkeypatch.setenv("ARGO_TOKEN", "Bearer v2:old")
    outcome = check()
    assert outcome.result == FAILED
    assert "does not accept the token of ARGO_TOKEN" in outcome.detail
    assert outcome.fix.endswith("/argo/userinfo shows a new one.")
