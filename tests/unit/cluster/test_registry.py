"""What a registry says to a user's store: read from what each program there writes, and asked for real with Python."""

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
    """A store in which a shell script writes what it is told to, or runs here with no more than some programs."""

    def __init__(self, said: str = "", programs: Path | None = None) -> None:
        self._said, self._programs = said, programs

    def script(self, text: str, *arguments: str) -> bytes:
        if self._programs is None:
            return self._said.encode()
        found = subprocess.run(
            ["/bin/sh", "-ec", text, "riseml", *arguments],
            env={"PATH": str(self._programs)},
            stdout=subprocess.PIPE,
            check=True,
        )
        return found.stdout


def ask(store: Store, address: str = "http://registry/v2/") -> Answer:
    return registry.ask(cast(StorePod, store), address)


@pytest.mark.parametrize(
    ("said", "answer"),
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
def test_what_programs_write_is_understood(said: str, answer: Answer) -> None:
    assert ask(Store(said)) == answer


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def address() -> Iterator[str]:
    """A registry of one open image, and of one for which anyone gets a token, as at Docker Hub."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            name = self.path.removeprefix("/v2/").removesuffix("/manifests/latest")
            told = self.headers.get("Authorization") == "Bearer let-me-in"
            status = {
                "me/mnist": 200,
                "library/python": 200 if told else 401,
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
                "/v2/me/kept/manifests/latest": 405,
            }.get(self.path, 404)
            self.send_response(status)
            self.end_headers()

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            may = asked == {
                "service": ["hub"],
                "scope": ["repository:library/python:pull"],
            }
            self.send_response(200 if may else 403)
            self.end_headers()
            self.wfile.write(b'{"token": "let-me-in"}' if may else b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_store_that_has_only_python_asks_with_that(
    address: str, tmp_path: Path
) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    store = Store(programs=tmp_path)
    known, unknown = "me/mnist/manifests/latest", "me/mnist/manifests/older"
    assert ask(store, registry.url(address, known, insecure=True)) == Answer(
        200, DIGEST
    )
    assert ask(store, registry.url(address, unknown, insecure=True)) == Answer(404)
    assert ask(store, registry.url("127.0.0.1:1", insecure=True)) == Answer()


@pytest.mark.parametrize(
    ("name", "gone"), [("mnist", True), ("other", True), ("kept", False)]
)
def test_a_manifest_is_forgotten(
    address: str, tmp_path: Path, name: str, gone: bool
) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    there = registry.url(address, f"me/{name}/manifests/latest", insecure=True)
    assert registry.forget(cast(StorePod, Store(programs=tmp_path)), there) is gone


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("me/mnist", DIGEST),
        ("library/python", DIGEST),
        ("me/private", ""),
        ("me/other", ""),
    ],
)
def test_what_anyone_may_know_is_asked_from_here(
    address: str, name: str, digest: str
) -> None:
    assert (
        registry.digest_from_here(
            registry.url(address, f"{name}/manifests/latest", insecure=True)
        )
        == digest
    )


def test_a_registry_that_cannot_be_reached_from_here() -> None:
    assert (
        registry.digest_from_here(
            registry.url("127.0.0.1:1", "x/manifests/1", insecure=True)
        )
        == ""
    )


@pytest.mark.parametrize(
    ("image", "where"),
    [
        ("python", ("index.docker.io", "library/python/manifests/latest")),
        ("python:3.12", ("index.docker.io", "library/python/manifests/3.12")),
        ("docker.io/me/mnist", ("index.docker.io", "me/mnist/manifests/latest")),
        ("localhost/base:1", ("localhost", "base/manifests/1")),
        ("r:5000/a/b/c:1", ("r:5000", "a/b/c/manifests/1")),
        (f"r.example/a:1@{DIGEST}", ("r.example", f"a/manifests/{DIGEST}")),
    ],
)
def test_where_an_image_is(image: str, where: tuple[str, str]) -> None:
    assert registry.manifest(image) == where


def test_a_store_that_has_nothing_says_so(tmp_path: Path) -> None:
    assert ask(Store(programs=tmp_path)) == Answer(has_client=False)


def test_addresses() -> None:
    assert registry.url("r:5000", insecure=True) == "http://r:5000/v2/"
    assert (
        registry.url("r", "a/b/manifests/1", insecure=False)
        == "https://r/v2/a/b/manifests/1"
    )
