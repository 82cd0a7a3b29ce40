"""Fixtures that run commands on an engine in memory, at a fixed time."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from riseml import cli
from riseml.cli import clock, detail, live, terminal
from riseml.cli.terminal import Terminal
from tests.cli.fake_engine import NOW, FakeEngine


@dataclass
class Result:
    """Exit status and output of a command line."""

    status: int
    out: str
    err: str


Riseml = Callable[..., Result]


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (
        "NO_COLOR",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "RISEML_PLAIN",
        "COLUMNS",
        "RISEML_DEBUG",
        "RISEML_CONFIG",
        "RISEML_ENGINE",
        "RISEML_GITIGNORE",
        "KUBECONFIG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOGNAME", "paul")
    folder = tmp_path / "toaster-net"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    # The addresses of TensorBoards in these tests are made up.
    monkeypatch.setattr(detail, "listens", lambda url: True)
    # Views are redrawn at once.
    monkeypatch.setattr(live, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(live, "_SHARE", math.inf)
    monkeypatch.setattr(live, "_READ_SHARE", math.inf)
    # Times on screens are local.
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Return the engine of every command in the test."""
    fake = FakeEngine()
    monkeypatch.setattr("riseml.client.context.open_engine", lambda settings: fake)
    return fake


@pytest.fixture
def riseml(engine: FakeEngine, capfd: pytest.CaptureFixture[str]) -> Riseml:
    """Return a function that runs a command line in this process."""

    def run(*words: str) -> Result:
        status = cli.main(words)
        out, err = capfd.readouterr()
        return Result(status, out, err)

    return run


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives stdout and stderr the abilities of a terminal."""

    def set_abilities(
        width: int | None = 80,
        *,
        colour: bool = True,
        unicode: bool = True,
        height: int = 24,
        plain: bool = False,
    ) -> None:
        abilities = Terminal(
            interactive=not plain,
            colour=colour and not plain,
            unicode=unicode,
            width=None if plain else width,
            height=height,
            plain=plain,
        )
        monkeypatch.setattr(terminal, "inspect", lambda stream: abilities)

    return set_abilities
