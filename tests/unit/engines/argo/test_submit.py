"""Submission to an Argo Server: what it receives, and what its answers mean."""

import io
import json
import socket
import tarfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml import labels
from riseml.cluster import argo_server
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.compiler.cache import DocumentCache
from riseml.engines import Submission
from riseml.engines.argo import server_submission, submit
from riseml.errors import (
    InvalidInputError,
    NotAllowedError,
    RiseMLError,
    UnreachableError,
    UnsupportedError,
)
from riseml.metrics import hparams
from riseml.plan import EarlyStop, Origin, Target
from tests.unit.plans import compiled, grid

NAMESPACE = "riseml-paul"


class Server(ThreadingHTTPServer):
    """Argo Server that gives all requests the same answer."""

    def __init__(self, status: int, answer: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.answer = status, answer
        self.requests: list[tuple[str, str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    """Records requests."""

    def do_POST(self) -> None:
        server = cast(Server, self.server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.requests.append((self.path, self.headers["Authorization"], body))
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(server.answer or json.dumps(body["workflow"]).encode())

    def log_message(self, *args: Any) -> None:
        """Be silent."""


@pytest.fixture
def served() -> Iterator[list[Server]]:
    servers = list[Server]()
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


def serve(served: list[Server], status: int = 200, answer: bytes = b"") -> Server:
    server = Server(status, answer)
    served.append(server)
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    ).start()
    return server


def namespace(port: int, below: str = "", **options: Any) -> UserNamespace:
    argo = f"http://127.0.0.1:{port}{below}"
    connection = Connection(
        "https://127.0.0.1:1", token="secret", namespace=NAMESPACE, argo=argo, **options
    )
    return UserNamespace(Api(connection), NAMESPACE)


@pytest.mark.parametrize("below", ["", "/argo"])
def test_the_document_arrives_unchanged(served: list[Server], below: str) -> None:
    document = compiled(grid({"lr": "1e-6"}, {"lr": "0.10"}))
    document["spec"]["unheardOf"] = ["1e-6"]  # Hera's models lack this field.
    server = serve(served)
    created = submit.create(namespace(server.server_port, below), document)
    assert created["metadata"]["name"] == document["metadata"]["name"]
    request = (
        f"{below}/api/v1/workflows/{NAMESPACE}",
        "Bearer secret",
        {"workflow": document},
    )
    assert server.requests == [request]


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (
            409,
            b'{"message": "already exists"}',
            InvalidInputError,
            "there is a Workflow",
        ),
        (
            403,
            b'{"message": "not yours"}',
            NotAllowedError,
            "does not accept this.*not yours",
        ),
        (401, b'{"message": "token not valid"}', NotAllowedError, "token not valid"),
        (
            400,
            b'{"message": "templates.main is wrong"}',
            UnsupportedError,
            "templates.main is wrong",
        ),
        (500, b'{"message": "exceeded quota"}', UnsupportedError, "exceeded quota"),
        (502, b"<html>bad gateway</html>", UnsupportedError, "bad gateway"),
        (
            200,
            b"<html>a page of somebody else</html>",
            UnreachableError,
            "is not the API of an Argo Server",
        ),
    ],
)
def test_the_errors_of_a_server(
    served: list[Server],
    status: int,
    answer: bytes,
    error: type[RiseMLError],
    words: str,
) -> None:
    server = serve(served, status, answer)
    with pytest.raises(error, match=words):
        submit.create(
            namespace(server.server_port),
            compiled(grid({"lr": "1e-6"}, {"lr": "0.10"})),
        )


def test_a_server_that_does_not_answer(served: list[Server]) -> None:
    server = serve(served)
    server.server_close()
    with pytest.raises(UnreachableError, match="does not answer") as caught:
        submit.create(
            namespace(server.server_port),
            compiled(grid({"lr": "1e-6"}, {"lr": "0.10"})),
        )
    assert "argo-server" in caught.value.advice


def test_argo_deletes_no_run_before_it_is_archived(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = grid({"lr": "0.1"})
    created: list[Any] = []
    origin = Origin("me", 3)
    monkeypatch.setattr(submit, "_number", lambda *_: (origin, [compiled(plan)]))
    monkeypatch.setattr(submit, "make_folders", lambda *_: None)
    monkeypatch.setattr(submit, "create", lambda _, document: created.append(document))
    namespace: Any = SimpleNamespace(
        node="",
        number=3,
        target=Target(),
        api=SimpleNamespace(connection=Connection("https://127.0.0.1:1")),
        server_time=datetime.now(UTC),
    )
    store: Any = None
    submit.start(
        Submission(plan, "0" * 40),
        namespace,
        store,
        home=tmp_path,
        cache=DocumentCache(tmp_path),
        user="me",
        known=[],
        submitter="ana@example.com",
    )
    (document,) = created
    assert "ttlStrategy" in compiled(plan)["spec"]
    assert "ttlStrategy" not in document["spec"]
    assert document["metadata"]["annotations"][labels.SUBMITTER] == "ana@example.com"


def test_a_token_of_single_sign_on_goes_to_the_server_alone(
    served: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable has the form that Argo's user interface and `argo auth token` print."""
    monkeypatch.setenv("ARGO_TOKEN", "Bearer v2:abc")
    document = compiled(grid({"lr": "0.1"}))
    server = serve(served)
    users = namespace(server.server_port, "/argo")
    submit.create(users, document)
    assert [token for _, token, _ in server.requests] == ["Bearer v2:abc"]
    server.status, server.answer = 401, b'{"message": "token has expired"}'
    with pytest.raises(NotAllowedError, match="the token of ARGO_TOKEN") as caught:
        submit.create(users, document)
    assert "token has expired" in str(caught.value)
    page = f"http://127.0.0.1:{server.server_port}/argo/userinfo"
    assert caught.value.advice == f"It may have expired. {page} shows a new one."


def test_a_certificate_and_a_token_of_single_sign_on(
    served: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection("https://127.0.0.1:1", argo="http://127.0.0.1:2")
    assert not argo_server.is_usable(connection)
    monkeypatch.setenv("ARGO_TOKEN", "v2:abc")
    assert argo_server.is_usable(connection)


@pytest.mark.parametrize("is_created", [False, True])
def test_a_server_that_accepts_connections_and_never_answers(
    *, is_created: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_submission, "_READ_SECONDS", 0.2)
    document = compiled(grid({"lr": "0.1"}))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        users = namespace(silent.getsockname()[1])
        stored = document if is_created else None
        monkeypatch.setattr(users.api, "find", lambda _: stored)
        if is_created:
            assert submit.create(users, document) == document
            return
        with pytest.raises(UnreachableError, match="no answer within 0 sec") as caught:
            submit.create(users, document)
    assert "submitted to the Kubernetes API" in caught.value.advice


class RecordingStore:
    """A store that keeps what it is asked to unpack."""

    def __init__(self) -> None:
        self.folders: tuple[str, ...] = ()
        self.files: dict[str, bytes] = {}

    def script(self, _text: str, *folders: str, stdin: Iterable[bytes]) -> None:
        self.folders = folders
        with tarfile.open(fileobj=io.BytesIO(b"".join(stdin))) as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if content:
                    self.files[entry.name] = content.read()


@pytest.mark.parametrize("rule", [None, EarlyStop((3, 9), 27)])
def test_each_experiment_gets_a_folder_with_its_record_and_its_parameters(
    rule: EarlyStop | None,
) -> None:
    store = RecordingStore()
    plan = replace(grid({"lr": "0.1"}, {"lr": "0.2"}), early_stop=rule)
    submit.make_folders(cast("StorePod", store), plan, Origin("me", 14), Target())
    folder = f"me/{plan.project}/14"
    # The experiments of a search that stops some of them share one more folder.
    assert store.folders == ((folder, f"{folder}/rungs") if rule else (folder,))
    names = (submit.RECORD, hparams.START_FILE)
    assert set(store.files) == {
        f"{folder}/{n}/{name}" for n in (1, 2) for name in names
    }
    assert b"14.2" in store.files[f"{folder}/2/{hparams.START_FILE}"]
