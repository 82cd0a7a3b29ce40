"""TensorBoard of runs on other machines, opened on this one."""

import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from riseml.client import tensorboard
from riseml.cluster.store import StorePod
from riseml.engines.argo import tensorboard as argo_tensorboard
from riseml.errors import NotFoundError, RiseMLError
from riseml.ids import Id
from tests.local.launcher_home import until
from tests.local.tensorboards import SERVES, path_with
from tests.unit.shell_store import Shell

RUN = Id(number=14)


@pytest.fixture
def store(tmp_path: Path) -> Shell:
    (tmp_path / "output/me/mnist/14/1/train logs").mkdir(parents=True)
    return Shell(tmp_path / "output")


def fetch(store: Shell, folder: Path, place: str = "me/mnist/14") -> bool:
    return argo_tensorboard.fetch(cast(StorePod, store), place, folder)


def test_only_new_bytes_are_copied(store: Shell, tmp_path: Path) -> None:
    copy, run = tmp_path / "here", store.output / "me/mnist/14"
    first, second = run / "1/train logs/events.out.tfevents.1", run / "2.tfevents"
    first.write_bytes(os.urandom(5000) + b"\n")
    (run / "model.pt").write_bytes(b"no event")
    assert fetch(store, copy)
    assert store.sent == 5001
    with first.open("ab") as file:
        file.write(b"more\n\0")
    second.write_bytes(b"other")
    assert fetch(store, copy)
    assert store.sent == 5001 + 6 + 5
    assert fetch(store, copy)
    assert store.sent == 5012
    assert (
        copy / "1/train logs/events.out.tfevents.1"
    ).read_bytes() == first.read_bytes()
    assert [file.name for file in copy.rglob("*") if file.is_file()] == [
        "2.tfevents",
        "events.out.tfevents.1",
    ]


def test_a_truncated_file_is_not_mixed_with_others(
    store: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store.output / "me/mnist/14"
    (run / "a.tfevents").write_bytes(b"12345")
    (run / "b.tfevents").write_bytes(b"67890")
    monkeypatch.setattr(
        argo_tensorboard,
        "_SEND",
        f': > "/output/$1/a.tfevents"; {argo_tensorboard._SEND}',
    )
    assert fetch(store, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_run_that_has_written_no_events(store: Shell, tmp_path: Path) -> None:
    assert not fetch(store, tmp_path)
    assert not fetch(store, tmp_path, "me/mnist/15")


class Cluster:
    """An engine elsewhere: `door` leads to a TensorBoard, `written` is what a run has written by now."""

    def __init__(self, events: bytes = b"", door: Any = None) -> None:
        self.written, self.door = events, door
        self.folder = Path()

    def open_tensorboard(self, run: Id, port: int, tell: Callable[[str], None]) -> Any:
        assert run == RUN
        return self.door

    def events(self, run: Id, folder: Path) -> Callable[[], bool]:
        self.folder = folder
        return self.fetch

    def fetch(self) -> bool:
        (self.folder / "a.tfevents").write_bytes(self.written)
        return bool(self.written)


class Door:
    """Connection to a TensorBoard that does not answer."""

    url = "http://127.0.0.1:1"

    def __init__(self) -> None:
        self.closed = False

    def is_open(self) -> bool:
        return False

    def wait(self) -> None:
        raise AssertionError

    def close(self) -> None:
        self.closed = True


def read(board: tensorboard.TensorBoard) -> bytes:
    with urllib.request.urlopen(board.url, timeout=10) as answer:
        return bytes(answer.read())


def test_a_copy_is_shown_and_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin", tensorboard=SERVES))
    monkeypatch.setattr(tensorboard, "_REFRESH_SECONDS", 0.01)
    door, messages = Door(), list[str]()
    cluster = Cluster(b"one", door)
    with tensorboard.open_remote(cluster, RUN, 0, messages.append) as board:
        assert door.closed
        silent = "The TensorBoard of run 14 does not answer;"
        assert messages == [
            f"{silent} `riseml logs 14.tensorboard` says why.",
            "Starting TensorBoard over a copy of what 14 has written ...",
        ]
        assert read(board)
        cluster.written = b"two"
        until(lambda: (cluster.folder / "a.tfevents").read_bytes() == b"two")
    assert not cluster.folder.exists()
    assert not tensorboard.answers(board.url)


def test_a_missing_tensorboard_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin", tensorboard=SERVES))
    monkeypatch.setattr(tensorboard, "_PATIENCE_SECONDS", 10_000.0)
    door, messages = Door(), list[str]()
    monkeypatch.setattr(door, "is_open", lambda: True)
    cluster = Cluster(b"one", door)
    answers = iter([False, True])
    monkeypatch.setattr(tensorboard, "_PAUSE_SECONDS", 0.0)
    with tensorboard.open_remote(
        cluster, RUN, 0, messages.append, answers.__next__
    ) as board:
        assert read(board)
    assert door.closed
    assert messages[0].startswith("No tensorboard is installed where run 14 runs: ")


def test_a_run_without_events_has_nothing_to_show() -> None:
    cluster = Cluster()
    with pytest.raises(NotFoundError, match="14 has written nothing for TensorBoard"):
        tensorboard.open_remote(cluster, RUN, 0, lambda _: None)
    assert not cluster.folder.exists()


def test_tensorboard_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", "/bin/false")
    cluster = Cluster(b"one")
    with pytest.raises(RiseMLError, match="there is no tensorboard"):
        tensorboard.open_remote(cluster, RUN, 0, lambda _: None)
    assert not cluster.folder.exists()
