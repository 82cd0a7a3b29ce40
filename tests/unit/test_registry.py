"""What a registry says to a user's store: read from what each program there writes, and asked for real with Python."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from riseml.cluster import registry
from riseml.cluster.registry import Answer
from riseml.cluster.store import StorePod

DIGEST = f"sha256:{'a1' * 32}"
CURL = f"HTTP/1.1 200 OK\r\nContent-Length: 528\r\nDocker-Content-Digest: {DIGEST}\r\nEtag: x\r\n\r\n"
REDIRECTED = (
    f"HTTP/1.1 307 Temporary Redirect\r\nLocation: x\r\n\r\nHTTP/2 200 \r\ndocker-content-digest: {DIGEST}\r\n\r\n"
)
GNU = "  HTTP/1.1 404 Not Found\n  Content-Type: application/json\n  Content-Length: 96\n"
BUSYBOX = "  HTTP/1.1 404 Not Found\nwget: server returned error: HTTP/1.1 404 Not Found\n"


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
        ("cannot\n", Answer(asked=False)),
    ],
)
def test_what_programs_write_is_understood(said: str, answer: Answer) -> None:
    assert ask(Store(said)) == answer


@pytest.fixture
def address() -> Iterator[str]:
    """A registry of one image."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            there = self.path == "/v2/me/mnist/manifests/latest" and "oci.image.index" in self.headers["Accept"]
            self.send_response(200 if there else 404)
            if there:
                self.send_header("Docker-Content-Digest", DIGEST)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_store_that_has_only_python_asks_with_that(address: str, tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    store = Store(programs=tmp_path)
    known, unknown = "me/mnist/manifests/latest", "me/mnist/manifests/older"
    assert ask(store, registry.url(address, known, insecure=True)) == Answer(200, DIGEST)
    assert ask(store, registry.url(address, unknown, insecure=True)) == Answer(404)
    assert ask(store, registry.url("127.0.0.1:1", insecure=True)) == Answer()


def test_a_store_that_has_nothing_says_so(tmp_path: Path) -> None:
    assert ask(Store(programs=tmp_path)) == Answer(asked=False)


def test_addresses() -> None:
    assert registry.url("r:5000", insecure=True) == "http://r:5000/v2/"
    assert registry.url("r", "a/b/manifests/1", insecure=False) == "https://r/v2/a/b/manifests/1"
