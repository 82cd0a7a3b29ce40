"""Paths and requests of the Kubernetes API."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from riseml.cluster import installation
from riseml.cluster.api import Api, path, path_of
from riseml.cluster.connection import Connection

QUOTA = "/api/v1/namespaces/riseml-paul/resourcequotas/riseml"
POLICY = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/riseml"


def test_paths_of_lists_and_objects() -> None:
    assert path("pods") == "/api/v1/pods"
    assert path("pods", "a", "b") == "/api/v1/namespaces/a/pods/b"
    assert path("namespaces", None, "a") == "/api/v1/namespaces/a"
    workflows = "/apis/argoproj.io/v1alpha1/namespaces/a/workflows"
    assert path("workflows", "a") == workflows


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        ("ResourceQuota", "v1", QUOTA),
        ("ValidatingAdmissionPolicy", "admissionregistration.k8s.io/v1", POLICY),
        ("StorageClass", "storage.k8s.io/v1", "/apis/storage.k8s.io/v1/storageclasses/riseml"),
        ("Deployment", "apps/v1", "/apis/apps/v1/namespaces/riseml-paul/deployments/riseml"),
    ],
)  # fmt: skip
def test_the_path_of_an_object_is_derived_from_its_kind(
    kind: str, version: str, expected: str
) -> None:
    body = {"kind": kind, "apiVersion": version, "metadata": {"name": "riseml"}}
    assert path_of(body, "riseml-paul") == expected


def test_an_object_may_name_its_namespace() -> None:
    metadata = {"name": "a", "namespace": "riseml"}
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata}
    assert path_of(body, "riseml-paul") == "/api/v1/namespaces/riseml/pods/a"


def test_a_forked_process_has_connections_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = Api(Connection("http://127.0.0.1:1"))
    parents = api._transport
    assert api._transport is parents
    with monkeypatch.context() as forked:
        forked.setattr("os.getpid", lambda: -1)
        assert api._transport is not parents
    assert api._transport is parents


class Recorder(HTTPServer):
    """An API server that accepts everything and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        assert isinstance(self.server, Recorder)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(
            (self.command, self.path, json.loads(body or b"null"))
        )
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_DELETE = do_PATCH = do_GET = _answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_deletion_of_a_list_deletes_only_what_the_selector_matches(
    server: Recorder,
) -> None:
    api = Api(Connection(f"http://127.0.0.1:{server.server_port}"))
    api.delete(
        path("pods", "riseml"), query={"labelSelector": "app=x"}, gracePeriodSeconds=1
    )
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 1}
    url = "/api/v1/namespaces/riseml/pods?labelSelector=app%3Dx"
    assert server.requests == [("DELETE", url, options)]


def test_new_certificates_restart_buildkit_and_nothing_else(server: Recorder) -> None:
    api = Api(Connection(f"http://127.0.0.1:{server.server_port}"))
    installation._renew_certificates(api, datetime.now(UTC))
    deletions = [url for method, url, _ in server.requests if method == "DELETE"]
    assert deletions == ["/api/v1/namespaces/riseml/pods?labelSelector=app%3Dbuildkitd"]
