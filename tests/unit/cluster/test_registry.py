"""Answers of a registry: parsed from the output of HTTP clients, and from a real server."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest

from riseml.cluster import registry
from riseml.cluster.registry import Answer
from riseml.cluster.store import StorePod

DIGEST = f"sha256:{'a1' * 32}"
CURL = f"HTTP/1.1 200 OK\r\nContent-Length: 528\r\nDocker-Content-Digest: {DIGEST}\r\nEtag: x\r\n\r\n"
REDIRECTED = (
    "HTTP/1.1 307 Temporary Redirect\r\nLocation: x\r\n\r\n"
    f"HTTP/2 200 \r\ndocker-content-digest: {DIGEST}\r\n\r\n"
)
GNU = (
    "  HTTP/1.1 404 Not Found\n  Content-Type: application/json\n  Content-Length: 96\n"
)
BUSYBOX = (
    "  HTTP/1.1 404 Not Found\nwget: server returned error: HTTP/1.1 404 Not Found\n"
)


class Store:
    """Store whose scripts write a given output, or run here with some programs only."""

    def __init__(self, output: str = "", programs: Path | None = None) -> None:
        self._output, self._programs = output, programs

    def script(self, text: str, *arguments: str) -> bytes:
        if self._programs is None:
            return self._output.encode()
        process = subprocess.run(
            ["/bin/sh", "-ec", text, "riseml", *arguments],
            env={"PATH": str(self._programs)},
            stdout=subprocess.PIPE,
            check=True,
        )
        return process.stdout


def ask(store: Store, address: str = "http://registry/v2/") -> Answer:
    return registry.ask(cast(StorePod, store), address)


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        (CURL, Answer(200, DIGEST)),
        (REDIRECTED, Answer(200, DIGEST)),
        (GNU, Answer(404)),
        (BUSYBOX, Answer(404)),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", Answer(401)),
        ("curl: (7) Failed to connect to registry port 443\n", Answer()),
        ("", Answer()),
        ("cannot\n", Answer(has_client=False)),
    ],
)
def test_output_of_http_clients_is_parsed(output: str, answer: Answer) -> None:
    assert ask(Store(output)) == answer


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def address() -> Iterator[str]:
    """Registry with an open image, and one that requires a token, as at Docker Hub."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            name = self.path.removeprefix("/v2/").removesuffix("/manifests/latest")
            has_token = self.headers.get("Authorization") == "Bearer let-me-in"
            status = {
                "me/mnist": 200,
                "library/python": 200 if has_token else 401,
                "me/private": 401,
            }.get(name, 404)
            self.send_response(status)
            if status == 401:
                realm = f"http://{self.headers['Host']}/token"
                scope = f"repository:{name}:pull"
                self.send_header(
                    "WWW-Authenticate",
                    f'Bearer realm="{realm}",service="hub",scope="{scope}"',
                )
            if status == 200 and "oci.image.index" in self.headers["Accept"]:
                self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def do_DELETE(self) -> None:
            status = {
                "/v2/me/mnist/manifests/latest": 202,
                "/v2/me/protected/manifests/latest": 405,
            }.get(self.path, 404)
            self.send_response(status)
            self.end_headers()

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            is_allowed = query == {
                "service": ["hub"],
                "scope": ["repository:library/python:pull"],
            }
            self.send_response(200 if is_allowed else 403)
            self.end_headers()
            self.wfile.write(b'{"token": "let-me-in"}' if is_allowed else b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name in the base class
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_store_without_curl_and_wget_uses_python(
    address: str, tmp_path: Path
) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    store = Store(programs=tmp_path)
    existing, missing = "me/mnist/manifests/latest", "me/mnist/manifests/older"
    assert ask(store, registry.url(address, existing, insecure=True)) == Answer(
        200, DIGEST
    )
    assert ask(store, registry.url(address, missing, insecure=True)) == Answer(404)
    assert ask(store, registry.url("127.0.0.1:1", insecure=True)) == Answer()


@pytest.mark.parametrize(
    ("name", "gone"), [("mnist", True), ("other", True), ("protected", False)]
)
def test_a_manifest_is_deleted(
    address: str, tmp_path: Path, name: str, gone: bool
) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    url = registry.url(address, f"me/{name}/manifests/latest", insecure=True)
    assert registry.forget(cast(StorePod, Store(programs=tmp_path)), url) is gone


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("me/mnist", DIGEST),
        ("library/python", DIGEST),
        ("me/private", ""),
        ("me/other", ""),
    ],
)
def test_public_digests_are_requested_from_here(
    address: str, name: str, digest: str
) -> None:
    assert (
        registry.digest_from_here(
            registry.url(address, f"{name}/manifests/latest", insecure=True)
        )
        == digest
    )


def test_an_unreachable_registry_has_no_digest() -> None:
    assert (
        registry.digest_from_here(
            registry.url("127.0.0.1:1", "x/manifests/1", insecure=True)
        )
        == ""
    )


@pytest.mark.parametrize(
    ("image", "manifest"),
    [
        ("python", ("index.docker.io", "library/python/manifests/latest")),
        ("python:3.12", ("index.docker.io", "library/python/manifests/3.12")),
        ("docker.io/me/mnist", ("index.docker.io", "me/mnist/manifests/latest")),
        ("localhost/base:1", ("localhost", "base/manifests/1")),
        ("r:5000/a/b/c:1", ("r:5000", "a/b/c/manifests/1")),
        (f"r.example/a:1@{DIGEST}", ("r.example", f"a/manifests/{DIGEST}")),
    ],
)
def test_names_of_images_are_resolved_as_by_docker(
    image: str, manifest: tuple[str, str]
) -> None:
    assert registry.manifest(image) == manifest


def test_a_store_without_any_http_client_is_recognized(tmp_path: Path) -> None:
    assert ask(Store(programs=tmp_path)) == Answer(has_client=False)


def test_urls_of_a_registry() -> None:
    assert registry.url("r:5000", insecure=True) == "http://r:5000/v2/"
    assert (
        registry.url("r", "a/b/manifests/1", insecure=False)
        == "https://r/v2/a/b/manifests/1"
    )
