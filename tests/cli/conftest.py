"""Commands on an engine in memory, at a fixed time, in an empty folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from riseml import cli
from riseml.cli import clock, terminal
from riseml.cli.terminal import Terminal
from tests.cli.fake_engine import NOW, FakeEngine


@dataclass
class Said:
    """What a command line left behind."""

    status: int
    out: str
    err: str


Riseml = Callable[..., Said]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "NO_COLOR",
        "COLUMNS",
        "RISEML_DEBUG",
        "RISEML_CONFIG",
        "RISEML_ENGINE",
        "RISEML_GITIGNORE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOGNAME", "paul")
    folder = tmp_path / "toaster-net"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine that every command of the test talks to."""
    fake = FakeEngine()
    monkeypatch.setattr("riseml.client.context.open_engine", lambda settings: fake)
    return fake


@pytest.fixture
def riseml(engine: FakeEngine, capfd: pytest.CaptureFixture[str]) -> Riseml:
    """Run one command line in this process."""

    def run(*words: str) -> Said:
        status = cli.main(words)
        out, err = capfd.readouterr()
        return Said(status, out, err)

    return run


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let stdout and stderr look like a terminal of these abilities."""

    def be(
        width: int = 80, *, colour: bool = True, unicode: bool = True, height: int = 24
    ) -> None:
        shown = Terminal(
            interactive=True, colour=colour, unicode=unicode, width=width, height=height
        )
        monkeypatch.setattr(terminal, "inspect", lambda stream: shown)

    return be
