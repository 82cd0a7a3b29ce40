"""Completion in shells, through their own code where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from riseml import cli
from riseml.errors import HomeError
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single


def offered(riseml: Riseml, *words: str) -> list[str]:
    result = riseml(cli.COMPLETE, *words)
    assert (result.status, result.err) == (0, "")
    return [line.split("\t")[0] for line in result.out.splitlines()]


@pytest.fixture(autouse=True)
def _runs(engine: FakeEngine) -> None:
    engine.runs = [
        single(16),
        grid(15, [State.FINISHED, State.RUNNING]),
        single(9, State.FAILED),
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["st"], ["status"]),
        (["com"], ["compile", "completion"]),
        (["--v"], ["--version"]),
        (["help", "who"], ["whoami"]),
        (["trains", ""], []),
        (["status", "1"], ["16", "15"]),
        (["status", "15."], ["15.1", "15.2", "15.1.train", "15.2.train"]),
        (["status", "15.2.t"], ["15.2.train"]),
        (["tensorboard", ""], ["16", "15", "9"]),
        (["tensorboard", "15."], ["15.1", "15.2"]),
        (
            ["tensorboard", "--"],
            [
                "--port",
                "--browser",
                "--no-browser",
                "--help",
                "--debug",
                "--no-color",
                "--plain",
            ],
        ),
        (["logs", ""], ["16", "15", "9"]),
        (["kill", ""], ["16", "15"]),
        (["kill", "16", ""], ["16", "15"]),
        (["kill", "15."], ["15.1", "15.2"]),
        (["wait", ""], ["16", "15"]),
        (["delete", ""], ["9"]),
        (["diff", "15."], ["15.1", "15.2"]),
        (["status", "--no"], ["--no-headers", "--no-color"]),
        (["logs", "--f"], ["--follow"]),
        (["status", "-o", ""], ["table", "wide", "json", "yaml", "csv", "name"]),
        (["status", "-o", "c"], ["csv"]),
        (["status", "-n", ""], []),
        (["init", "--template", "t"], ["tensorflow"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["whoami", ""], []),
        (["train", "-f", "rise"], ["riseml.yml", "riseml_big.yml"]),
        (["train", "-f", "sub/"], ["sub/deep/"]),
        (["train", "-f", "none/"], []),
    ],
)
def test_completions(words: list[str], expected: list[str], riseml: Riseml) -> None:
    Path("riseml.yml").write_text("")
    Path("riseml_big.yml").write_text("")
    Path("sub/deep").mkdir(parents=True)
    assert offered(riseml, *words) == expected


def test_completion_without_words_is_empty(riseml: Riseml) -> None:
    assert offered(riseml) == []


def test_completion_ignores_errors(
    engine: FakeEngine, riseml: Riseml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(query: object) -> None:
        raise HomeError("disk full")

    monkeypatch.setattr(engine, "list", fail)
    assert offered(riseml, "status", "") == []


def test_descriptions_follow_a_tab(riseml: Riseml) -> None:
    assert riseml(cli.COMPLETE, "kill", "16").out == "16\ttoaster-net RUNNING\n"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a PATH with this riseml."""
    script = tmp_path / "bin" / "riseml"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m riseml "$@"\n')
    script.chmod(0o755)
    return f"{script.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["riseml", "sta"], "status"),
        (["riseml", "status", "--st"], "--state"),
        (["riseml", "x", ""], ""),
    ],
)
def test_bash(typed: list[str], expected: str, riseml: Riseml, path: str) -> None:
    words = " ".join(f"'{word}'" for word in typed)
    ask = f'COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; _riseml; echo "${{COMPREPLY[*]}}"'
    code = f"{riseml('completion', 'bash').out}\n{ask}"
    done = subprocess.run(
        ["bash", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_code_for_other_shells_is_valid(shell: str, riseml: Riseml) -> None:
    code = riseml("completion", shell).out
    assert f"riseml {cli.COMPLETE}" in code
    if program := shutil.which(shell):
        assert subprocess.run([program, "-n", "-c", code], check=False).returncode == 0
