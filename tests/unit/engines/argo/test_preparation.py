"""What a submission needs of the cluster: one shell for its scripts, and answers asked for early."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.cluster import store_shell
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection
from riseml.cluster.store import StorePod
from riseml.cluster.user_namespace import UserNamespace
from riseml.engines.argo import code, preparation
from riseml.engines.argo.engine import ArgoEngine
from riseml.engines.argo.preparation import Preparation, PreparedStore
from riseml.errors import NotAllowedError, UnreachableError
from tests.unit.local_session import LocalSession

NAMESPACE = "riseml-me"


class Answering:
    """The API server, with what it was asked."""

    def __init__(self, argo: str = "") -> None:
        self.asked: list[str] = []
        self.connection = Connection("https://cluster", namespace=NAMESPACE, argo=argo)

    def items(self, url_path: str, **query: Any) -> list[dict[str, Any]]:
        self.asked.append(url_path.rpartition("/")[2])
        condition = {"type": "Ready", "status": "True"}
        pod = {"metadata": {"name": "store-0"}, "status": {"conditions": [condition]}}
        return [pod]

    def get(self, url_path: str) -> dict[str, Any]:
        self.asked.append(url_path.rpartition("/")[2])
        return {"metadata": {"resourceVersion": "1"}, "data": {"number": "2"}}

    def create(self, url_path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body["kind"])
        return {"status": {"userInfo": {"username": "ana@example.com"}}}


@pytest.fixture(autouse=True)
def _sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    LocalSession.opened = 0
    monkeypatch.setattr(store_shell, "Session", LocalSession)


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[Callable[[Answering], Preparation]]:
    preparations: list[Preparation] = []

    def prepare(api: Answering) -> Preparation:
        namespace = UserNamespace(cast(Api, api), NAMESPACE)
        store = StorePod(cast(Api, api), NAMESPACE)
        preparations.append(Preparation(namespace, store, lambda: ["b", "a"], tmp_path))
        return preparations[-1]

    yield prepare
    for made in preparations:
        made.store._opening.result()
        made.store.close()


def test_one_shell_runs_all_scripts_of_a_submission(
    prepared: Callable[[Answering], Preparation],
) -> None:
    store = prepared(Answering()).store
    assert store.script('echo "has $1"', "abc") == b"has abc\n"
    assert store.script("cat", stdin=iter([b"\0folders", b"\xff"])) == b"\0folders\xff"
    assert LocalSession.opened == 1


def test_each_question_is_asked_once(
    prepared: Callable[[Answering], Preparation],
) -> None:
    api = Answering()
    preparation_ = prepared(api)
    # The name that the API server reports, not one that the client knows.
    assert preparation_.answers() == (["a", "b"], "ana@example.com")
    assert preparation_._namespace.number == 3
    preparation_.store.script(":")
    assert sorted(api.asked) == ["SelfSubjectReview", "pods", "riseml"]


def test_a_server_that_knows_the_user_by_a_token_notes_the_submitter(
    prepared: Callable[[Answering], Preparation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "v2:abc")
    api = Answering(argo="https://argo")
    assert prepared(api).answers() == (["a", "b"], None)
    assert "SelfSubjectReview" not in api.asked


def test_a_refused_question_is_an_error_where_its_answer_is_needed(
    tmp_path: Path,
) -> None:
    def refuse() -> list[str]:
        raise NotAllowedError("secrets are not yours")

    api = cast(Api, Answering())
    store = StorePod(api, NAMESPACE)
    refused = Preparation(UserNamespace(api, NAMESPACE), store, refuse, tmp_path)
    with pytest.raises(NotAllowedError, match="not yours"):
        refused.answers()
    refused.store.script(":")
    refused.store.close()


def test_a_store_that_is_away_is_an_error_of_the_first_script() -> None:
    class Empty(Answering):
        def items(self, url_path: str, **query: Any) -> list[dict[str, Any]]:
            return []

    store = PreparedStore(StorePod(cast(Api, Empty()), NAMESPACE))
    with pytest.raises(UnreachableError, match="has no pod"):
        store.script("echo there")
    store.close()


def test_a_shell_that_opens_after_the_command_has_failed_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()
    closed = threading.Event()

    class Slow(Answering):
        def items(self, url_path: str, **query: Any) -> list[dict[str, Any]]:
            answered.wait(60)
            return super().items(url_path, **query)

    class Closing(LocalSession):
        def close(self) -> None:
            super().close()
            closed.set()

    monkeypatch.setattr(store_shell, "Session", Closing)
    store = PreparedStore(StorePod(cast(Api, Slow()), NAMESPACE))
    store.close()
    answered.set()
    assert closed.wait(60)


@pytest.mark.parametrize("content", [None, [b"input"]])
def test_a_broken_connection_is_replaced(
    content: list[bytes] | None,
    prepared: Callable[[Answering], Preparation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripts: list[tuple[str, ...]] = []

    def run(_store: StorePod, *words: str, **options: Any) -> bytes:
        scripts.append(words)
        return b"".join(options["stdin"] or ()) or b"again"

    def broken(*_: Any, **__: Any) -> bytes:
        raise UnreachableError("the connection to the cluster broke")

    store = prepared(Answering()).store
    store.script(":")
    monkeypatch.setattr(StorePod, "script", run)
    monkeypatch.setattr(store_shell.StoreShell, "script", broken)
    monkeypatch.setattr(store_shell.StoreShell, "last_script", broken)
    expected = b"input" if content else b"again"
    assert store.script("cat", "x", stdin=content) == expected
    # There is no second try in the shell.
    assert store.script("cat", "y", stdin=content) == expected
    assert scripts == [("cat", "x"), ("cat", "y")]


def test_a_shell_that_was_idle_for_long_is_not_used(
    prepared: Callable[[Answering], Preparation], monkeypatch: pytest.MonkeyPatch
) -> None:
    preparation_ = prepared(Answering())
    preparation_.store.script(":")
    assert preparation_.is_valid
    monkeypatch.setattr(preparation, "_VALID_SECONDS", 0.0)
    assert not preparation_.is_valid
    monkeypatch.setattr(StorePod, "script", lambda *_, **__: b"a command of its own")
    assert preparation_.store.script(":") == b"a command of its own"


def test_output_that_is_wanted_as_it_arrives_comes_from_a_command_of_its_own(
    prepared: Callable[[Answering], Preparation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_store: StorePod, *_: str, **options: Any) -> bytes:
        options["on_output"](b"piece")
        return b""

    store = prepared(Answering()).store
    monkeypatch.setattr(StorePod, "script", run)
    received: list[bytes] = []
    assert store.script("echo", on_output=received.append) == b""
    assert received == [b"piece"]


class Closable:
    """Preparation, and its store, that may be closed."""

    made: list["Closable"]

    def __init__(self, *_: Any) -> None:
        self.store, self.is_valid, self.is_closed = self, True, False
        self.made.append(self)

    def close(self) -> None:
        self.is_closed = True

    def load_compiler(self) -> None:
        """Load nothing."""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArgoEngine:
    Closable.made = []
    monkeypatch.setattr(preparation, "Preparation", Closable)
    monkeypatch.setattr(code, "push", lambda *_: None)
    engine = ArgoEngine(Connection("https://cluster", namespace=NAMESPACE), tmp_path)
    snapshot = SimpleNamespace(revision="abc")
    monkeypatch.setattr(engine, "record", lambda *_, **__: snapshot)
    return engine


def test_two_submissions_never_share_a_preparation(
    engine: ArgoEngine, tmp_path: Path
) -> None:
    for _ in range(2):
        engine.snapshot("net", tmp_path)
    first, second = Closable.made
    assert (first.is_closed, second.is_closed) == (True, False)
    taken: list[Any] = [engine._take_prepared(), engine._take_prepared()]
    assert taken == [second, Closable.made[-1]]
    assert len(Closable.made) == 3


def test_a_snapshot_that_was_taken_long_ago_is_submitted_anew(
    engine: ArgoEngine, tmp_path: Path
) -> None:
    engine.snapshot("net", tmp_path)
    (old,) = Closable.made
    old.is_valid = False
    taken: Any = engine._take_prepared()
    assert (old.is_closed, taken is old) == (True, False)


def test_code_that_cannot_be_pushed_leaves_no_shell(
    engine: ArgoEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise UnreachableError("the code could not be pushed")

    monkeypatch.setattr(code, "push", fail)
    with pytest.raises(UnreachableError):
        engine.snapshot("net", tmp_path)
    assert [prepared.is_closed for prepared in Closable.made] == [True]
    assert not engine._prepared


_LOADED = """
import sys
from riseml.engines.argo.preparation import Preparation
if sys.argv[1:]:
    import riseml.planner
Preparation.load_compiler()
print("hera" in sys.modules)
"""


@pytest.mark.parametrize(("words", "is_loaded"), [([], "False"), (["new"], "True")])
def test_hera_is_loaded_early_for_a_new_plan(words: list[str], is_loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *words],
        check=True,
        text=True,
        capture_output=True,
    )
    assert done.stdout.strip() == is_loaded
