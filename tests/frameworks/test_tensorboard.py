"""A real TensorBoard for a set: while the set runs, and afterwards."""

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
    """Return TensorBoard's scalars; None if it does not answer yet, or has no such run."""
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
    """Return the steps and values that TensorBoard shows for a run."""
    return [
        (step, value)
        for _, step, value in data(url, f"scalars?run={run}&tag=loss") or ()
    ]


def falling(first: float) -> list[tuple[int, Any]]:
    """Return the values that the program writes, with the precision of TensorBoard."""
    return [(step, pytest.approx(first / (step + 1))) for step in range(3)]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a loaded machine, the import of TensorFlow takes minutes.
    monkeypatch.setattr("riseml.client.tensorboard._PATIENCE_SECONDS", 240.0)


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PATH", f"{prepare('tensorflow') / 'bin'}{os.pathsep}{os.environ['PATH']}"
    )


def test_tensorboard_shows_the_scalars_of_a_set(lab: Lab, tmp_path: Path) -> None:
    shutil.copy(PROGRAM, lab.folder)
    lab.train(TEXT, GO=str(tmp_path / "go"))
    client = Client(engine=lab.engine)
    with client.tensorboard("1") as tensorboard:
        assert tensorboard.is_own
        assert tensorboard.url == client.read("1").tensorboard_url
        lab.until(
            lambda: set(data(tensorboard.url, "tags") or ()) == {"1", "2"},
            "the scalars of both",
        )
        lab.until(
            lambda: scalars(tensorboard.url, "1") == falling(4), "all of the first"
        )
        lab.until(
            lambda: scalars(tensorboard.url, "2") == falling(8), "all of the second"
        )
    (tmp_path / "go").touch()
    assert lab.wait(1).state is State.FINISHED
    assert client.read("1").tensorboard_url is None
    with client.tensorboard("1") as tensorboard:
        assert not tensorboard.is_own
        lab.until(
            lambda: set(data(tensorboard.url, "tags") or ()) == {"1", "2"},
            "the scalars of both afterwards",
        )
        assert (scalars(tensorboard.url, "1"), scalars(tensorboard.url, "2")) == (
            falling(4),
            falling(8),
        )
    with client.tensorboard("1.2") as tensorboard:
        lab.until(
            lambda: set(data(tensorboard.url, "tags") or ()) == {"."},
            "the scalars of the second alone",
        )
        assert scalars(tensorboard.url, ".") == falling(8)
    assert data(tensorboard.url, "tags") is None
    (job,) = client.read("1").jobs
    assert (job.state, client.read("1").counts) == (State.KILLED, {State.FINISHED: 2})
