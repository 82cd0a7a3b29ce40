"""A real TensorBoard over a set: while it runs, and afterwards over what it has left."""

import http.client
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from riseml.client.client import Client
from riseml.ids import Id
from riseml.status import State
from tests.frameworks.environments import prepare
from tests.local.conftest import Lab

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(300)]
PROGRAM = Path(__file__).parent / "programs" / "scalars.py"
TEXT = "framework: tensorflow\nparameters: {lr: [4, 8]}\nconcurrency: 2\nrun: python scalars.py"
RUN = Id(number=1)


def data(url: str, path: str) -> Any:
    """Ask TensorBoard's scalars; None where it does not answer yet, or does not know."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.request("GET", f"/data/plugin/scalars/{path}")
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == http.client.OK else None
    except OSError:
        return None
    finally:
        connection.close()


def scalars(url: str, run: str) -> list[tuple[int, float]]:
    """Return steps and values that TensorBoard shows of a run."""
    return [
        (step, value)
        for _, step, value in data(url, f"scalars?run={run}&tag=loss") or ()
    ]


def falling(first: float) -> list[tuple[int, Any]]:
    """Return what the program writes, as exactly as TensorBoard keeps it."""
    return [(step, pytest.approx(first / (step + 1))) for step in range(3)]


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PATH", f"{prepare('tensorflow') / 'bin'}{os.pathsep}{os.environ['PATH']}"
    )


def test_scalars_of_a_set(lab: Lab, tmp_path: Path) -> None:
    shutil.copy(PROGRAM, lab.folder)
    lab.train(TEXT, GO=str(tmp_path / "go"))
    client = Client(engine=lab.engine)
    with client.tensorboard("1") as board:
        assert board.is_own
        assert board.url == client.read("1").tensorboard_url
        lab.until(
            lambda: set(data(board.url, "tags") or ()) == {"1", "2"},
            "the scalars of both",
        )
        lab.until(lambda: scalars(board.url, "1") == falling(4), "all of the first")
        lab.until(lambda: scalars(board.url, "2") == falling(8), "all of the second")
    (tmp_path / "go").touch()
    assert lab.wait(1).state is State.FINISHED
    assert client.read("1").tensorboard_url is None
    with client.tensorboard("1") as board:
        assert not board.is_own
        lab.until(
            lambda: set(data(board.url, "tags") or ()) == {"1", "2"},
            "the scalars of both afterwards",
        )
        assert (scalars(board.url, "1"), scalars(board.url, "2")) == (
            falling(4),
            falling(8),
        )
    with client.tensorboard("1.2") as board:
        lab.until(
            lambda: set(data(board.url, "tags") or ()) == {"."},
            "the scalars of the second alone",
        )
        assert scalars(board.url, ".") == falling(8)
    assert data(board.url, "tags") is None
    (job,) = client.read("1").jobs
    assert (job.state, client.read("1").counts) == (State.KILLED, {State.FINISHED: 2})
