"""What a terminal can show: NO_COLOR, TERM, locales, and plain mode for screen readers."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from riseml import settings
from riseml.cli import terminal
from riseml.engines import Change, Chunk
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single


class _Screen(io.TextIOWrapper):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def _stream(encoding: str = "utf-8") -> _Screen:
    return _Screen(io.BytesIO(), encoding=encoding)


def test_a_terminal_has_colours_and_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    screen = terminal.inspect(_stream())
    assert screen == terminal.Terminal(interactive=True, colour=True, width=60)


@pytest.mark.parametrize(
    ("variable", "value", "interactive", "colour"),
    [("NO_COLOR", "1", True, False), ("TERM", "dumb", False, False)],
)
def test_variables_limit_a_terminal(
    variable: str,
    value: str,
    interactive: bool,
    colour: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    screen = terminal.inspect(_stream())
    assert (screen.interactive, screen.colour) == (interactive, colour)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, True),
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "POSIX"}, False),
        # Python sets LC_CTYPE so where LANG is C.
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, False),
        ({"LANG": "de_DE.utf8@euro"}, True),
        ({"LANG": "de_DE"}, True),
    ],
)
def test_the_locale_decides_about_symbols(
    variables: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal.inspect(_stream()).unicode == expected
    assert not terminal.inspect(_stream("latin-1")).unicode


def test_a_c_locale_gets_ascii(tmp_path: Path) -> None:
    (tmp_path / "riseml.yml").write_text("project: x\ntrain:\n  räksmörgås…: 1\n")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HOME": str(tmp_path),
        "LANG": "C",
    }
    result = subprocess.run(
        [sys.executable, "-m", "riseml", "check"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 2
    written = result.stdout + result.stderr
    assert written.isascii()
    assert b"r?ksm?rg?s..." in written


def test_programs_get_every_character(
    engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "C")
    engine.runs = [single(12, State.FINISHED, result={"note": "räksmörgås"})]
    assert "r?ksm?rg?s" in riseml("status", "12").out
    for output_format in ("json", "yaml", "csv"):
        assert "räksmörgås" in riseml("status", "12", "-o", output_format).out


@pytest.mark.parametrize("source", ["flag", "variable", "setting"])
def test_plain_mode_can_be_chosen(
    source: str, riseml: Riseml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISEML_PLAIN", "")
    words = ["config", "show"]
    if source == "variable":
        monkeypatch.setenv("RISEML_PLAIN", "yes")
    elif source == "setting":
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        (home / "config").write_text("plain: true\n")
    else:
        words.append("--plain")
    lines = riseml(*words).out.splitlines()
    (line,) = [line for line in lines if line.startswith("NAME plain,")]
    assert line.startswith("NAME plain, VALUE True, FROM ")
    screen = terminal.inspect(_stream())
    assert screen == terminal.Terminal(plain=True)


def test_a_broken_setting_does_not_hide_the_error(
    tmp_path: Path, riseml: Riseml
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config").write_text("plain: maybe\n")
    assert not settings.is_plain()
    assert "'maybe' is neither true nor false" in riseml("whoami").err


def test_plain_mode_says_one_thing_a_line(
    engine: FakeEngine, riseml: Riseml, screen: Callable[..., None]
) -> None:
    engine.runs = [
        grid(15, [State.FINISHED, State.RUNNING], {1: {"acc": 0.9}}),
        single(14),
    ]
    engine.events = [
        Chunk("14.train", b"epoch 1\nepoch 2 5%\r", partial=True),
        Change("14.train", "FAILED", exit_code=3),
    ]
    screen(plain=True)
    assert riseml("status", "-a", "-l").out == (
        "ID 15, PROJECT toaster-net, STATE RUNNING, AGE 2 hours, TYPE Set\n"
        "ID 15.1, PROJECT toaster-net, STATE FINISHED, AGE 2 hours, TYPE Experiment, "
        "PARAMS lr=1e-1, opt=adam, RESULT acc=0.9\n"
        "ID 15.2, PROJECT toaster-net, STATE RUNNING, AGE 2 hours, TYPE Experiment, "
        "PARAMS lr=1e-2, opt=adam\n"
        "ID 14, PROJECT toaster-net, STATE RUNNING, AGE 11 minutes, TYPE Experiment\n"
    )
    assert riseml("logs", "14").out == (
        "14.train: epoch 1\n"
        "14.train: epoch 2 5%\n"
        "14.train: State: FAILED\n"
        "14.train: Exit Code: 3\n"
    )
    result = riseml("results", "15", "--sort", "acc")
    assert result.out == (
        "best, EXP ID 15.1, STATE FINISHED, lr 1e-1, opt adam, acc 0.9\n"
        "EXP ID 15.2, STATE RUNNING, lr 1e-2, opt adam\n"
    )
    assert result.err == "best by acc: larger is better.\n"
