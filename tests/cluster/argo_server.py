"""Argo Server as a process on this machine, for the cluster of KUBECONFIG, behind a proxy with a path.

The program `argo` is the one of RISEML_TEST_ARGO or of PATH.
"""

import http.client
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest
import yaml

from riseml.cluster.api import Api, path
from tests.cluster import issuer
from tests.cluster.control_plane import _end, _ports
from tests.cluster.issuer import CLIENT, Issuer

PATH = "/argo"
_PROGRAMS = (os.environ.get("RISEML_TEST_ARGO", ""), "argo")
_READY_SECONDS = 60.0
_SECRET = "argo-login"


def program() -> str:
    """Return the program `argo`, and skip the test where there is none."""
    for name in filter(None, _PROGRAMS):
        if shutil.which(name):
            return name
    pytest.skip("the program argo is not on this machine")


@contextmanager
def serve(folder: Path, *arguments: str, proxy_port: int = 0) -> Iterator[str]:
    """Start a server, and yield its URL, which has a path."""
    port, free_port = _ports(2)
    proxy_port = proxy_port or free_port
    with ExitStack() as running:
        log = running.enter_context((folder / "argo-server.log").open("wb"))
        command = [
            *(program(), "server", "--secure=false", "--base-href", f"{PATH}/"),
            *("--port", str(port), "--kubeconfig", os.environ["KUBECONFIG"]),
            *arguments,
        ]
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        running.callback(_end, server)
        running.enter_context(_proxy(proxy_port, port))
        url = f"http://127.0.0.1:{proxy_port}{PATH}"
        deadline = time.monotonic() + _READY_SECONDS
        while not _answers(f"{url}/"):
            if server.poll() is not None or time.monotonic() > deadline:
                sys.stderr.write((folder / "argo-server.log").read_text())
                pytest.fail("the Argo Server did not start")
            time.sleep(0.3)
        yield url


@dataclass
class SingleSignOn:
    """Argo Server that knows people by an issuer on this machine."""

    url: str
    issuer: Issuer

    def log_in(self, email: str) -> str:
        """Return the token of a person, as Argo's user interface shows it."""
        self.issuer.person = {"email": email, "name": email, "groups": []}
        cookies = CookieJar()
        opener = build_opener(HTTPCookieProcessor(cookies))
        opener.open(f"{self.url}/oauth2/redirect?redirect={self.url}/").read()
        (token,) = [
            cookie.value for cookie in cookies if cookie.name == "authorization"
        ]
        return str(token).strip('"')


@contextmanager
def single_sign_on(folder: Path, api: Api, namespace: str) -> Iterator[SingleSignOn]:
    """Start a server with single sign-on, whose configuration is in a namespace of its own."""
    _create(api, "", "Namespace", namespace)
    with ExitStack() as running:
        running.callback(api.delete, path("namespaces", None, namespace))
        people = running.enter_context(issuer.serve(folder))
        (port,) = _ports(1)
        login = {"client-id": CLIENT, "client-secret": "unused"}
        _create(api, namespace, "Secret", _SECRET, stringData=login)
        settings = {
            "issuer": people.url,
            "clientId": {"name": _SECRET, "key": "client-id"},
            "clientSecret": {"name": _SECRET, "key": "client-secret"},
            "redirectUrl": f"http://127.0.0.1:{port}{PATH}/oauth2/callback",
            "scopes": ["email"],
            "rbac": {"enabled": False},
        }
        data = {"sso": yaml.safe_dump(settings)}
        _create(api, namespace, "ConfigMap", "argo-login", data=data)
        options = ["--auth-mode", "sso", "--namespace", namespace]
        options += ["--configmap", "argo-login"]
        url = running.enter_context(serve(folder, *options, proxy_port=port))
        yield SingleSignOn(url, people)


def _create(api: Api, namespace: str, kind: str, name: str, **content: Any) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}
    api.create(path(f"{kind.lower()}s", namespace or None), body)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class _Proxy(ThreadingHTTPServer):
    target: int


@contextmanager
def _proxy(port: int, target: int) -> Iterator[None]:
    """Forward requests below PATH to a port, without the path."""
    server = _Proxy(("127.0.0.1", port), _Handler)
    server.target = target
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def _forward(self) -> None:
        if not self.path.startswith(f"{PATH}/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = cast(_Proxy, self.server).target
        connection = http.client.HTTPConnection("127.0.0.1", target, timeout=60)
        try:
            headers = dict(self.headers.items())
            url = self.path.removeprefix(PATH)
            connection.request(self.command, url, body, headers)
            answer = connection.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.read())
        except OSError:
            self.send_error(502)
        finally:
            connection.close()

    do_GET = do_POST = _forward  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""
