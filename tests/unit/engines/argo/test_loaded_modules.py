"""Modules that commands on a cluster load, and requests that they send."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = "import sys, riseml.__main__ as m; s = m.cli.main(sys.argv[1:]); print(*sys.modules, s, file=sys.stderr)"
_CONFIG_MAP = {"metadata": {"resourceVersion": "1"}, "data": {"number": "0"}}
_LIST: dict[str, Any] = {"metadata": {}, "items": []}


class Cluster(HTTPServer):
    """API server of a user without runs, which counts connections and requests."""

    def __init__(self) -> None:
        self.connections = 0
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        self.connections += 1
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Cluster)
        path = self.path.partition("?")[0]
        self.server.paths.append(path.rpartition("/")[2])
        answer = _CONFIG_MAP if path.endswith("/configmaps/riseml") else _LIST
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def loaded(program: str, *words: str, home: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "RISEML_HOME": str(home)},
        check=True,
    )
    return set(done.stderr.split("\n")[-2].split())


def test_a_list_loads_python_s_own_http_client_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{cluster.server_port}"
    config = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "clusters": [{"name": "lab", "cluster": {"server": url}}],
        "users": [{"name": "lab", "user": {"name": "ana", "api-key": "secret"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    modules = loaded(_PROGRAM, "status", home=tmp_path)
    assert "0" in modules
    assert {"http.client", "riseml.engines.argo.listing"} <= modules
    unneeded = {
        "dataclasses",
        "hera",
        "inspect",
        "kubernetes",
        "logging",
        "pydantic",
        "requests",
        "subprocess",
        "typer",
        "urllib3",
        "websocket",
    }
    assert modules & unneeded == set()
    # Runs that Argo has made, all others, and the number of the newest.
    assert cluster.paths == ["workflows", "workflows", "riseml"]
    assert cluster.connections == 1


def test_a_submission_loads_no_reader_of_runs(tmp_path: Path) -> None:
    modules = loaded(
        "import riseml.engines.argo.engine, riseml.engines.argo.submit,"
        " riseml.engines.argo.preparation, sys; print(*sys.modules, file=sys.stderr)",
        home=tmp_path,
    )
    unneeded = {
        "requests",
        "riseml.engines.argo.listing",
        "riseml.engines.argo.run_reader",
        "riseml.engines.argo.stop",
        "urllib3",
    }
    assert not modules & unneeded
