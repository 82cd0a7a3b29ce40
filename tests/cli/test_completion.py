"""Completion in shells, through their own code where they are installed."""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import riseml as riseml_package
from riseml import cli
from riseml.errors import HomeError
from riseml.plan import Marks
from riseml.status import State
from tests.cli.conftest import Riseml
from tests.cli.fake_engine import FakeEngine, grid, single

PATIENCE = 60.0
# Sequences that move the cursor or set colors.
_CONTROL = re.compile(
    r"\x1b(\[[0-9;?>=]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\\\)|[=>()][0-9A-B]?)"
)


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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["logs", "b"], ["baseline\t9 toaster-net FAILED"]),
        (["kill", "b"], []),
        (["diff", "16", ""], ["16", "9", "baseline"]),
        (["cp", "code://"], ["code://16/", "code://9/"]),
    ],
)
def test_names_of_runs_are_completed(
    words: list[str], expected: list[str], engine: FakeEngine, riseml: Riseml
) -> None:
    ended = replace(single(9, State.FAILED), marks=Marks("baseline"))
    engine.runs = [single(16), ended]
    lines = riseml(cli.COMPLETE, *words).out.splitlines()
    described = any("\t" in word for word in expected)
    assert [line if described else line.split("\t")[0] for line in lines] == expected


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


# Lines that make an interactive shell without the user's own files complete `riseml`.
STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source CODE"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; source CODE"),
    "fish": (["fish", "--no-config", "-i"], "source CODE"),
}


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._terminal, inner = pty.openpty()
        size = struct.pack("HHHH", 40, 200, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
        )
        os.close(inner)
        self.text = ""

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def until(self, expected: str) -> None:
        """Read until the terminal has shown a text since the last call."""
        limit = time.monotonic() + PATIENCE
        self.text = ""
        while expected not in self.text:
            remaining = limit - time.monotonic()
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, remaining))
            assert ready, f"no {expected!r} in {self.text!r}"
            data = os.read(self._terminal, 4096).decode(errors="replace")
            self.text += _CONTROL.sub("", data)
            # fish asks for the place of the cursor and the kind of terminal, and waits for answers.
            for question, answer in (
                ("\x1b[6n", "\x1b[1;1R"),
                ("\x1b[c", "\x1b[?1;2c"),
            ):
                if question in data:
                    self.type(answer)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@pytest.fixture(params=STARTS)
def shell(
    request: pytest.FixtureRequest, riseml: Riseml, path: str, tmp_path: Path
) -> Iterator[Shell]:
    name: str = request.param
    if not shutil.which(name):
        # What checks a change has all of them.
        assert os.environ.get("CI") != "true", f"{name} is missing"
        pytest.skip(f"there is no {name}")
    command, start = STARTS[name]
    code = tmp_path / "code"
    code.write_text(riseml("completion", name).out)
    environment = {"PATH": path, "HOME": str(tmp_path), "TERM": "xterm", "PS1": "> "}
    environment |= {"LANG": "C.UTF-8", "RISEML_HOME": str(tmp_path / "none")}
    environment |= {"PYTHONPATH": str(Path(riseml_package.__file__).parent.parent)}
    shell = Shell(command, environment)
    shell.type(start.replace("CODE", f"{code}; echo re''ady") + "\n")
    shell.until("ready")
    yield shell
    shell.close()


def test_a_command_is_completed_in_a_real_shell(shell: Shell) -> None:
    shell.type("riseml whoa\t")
    shell.until("whoami")


def test_options_and_their_values_are_completed_in_a_real_shell(shell: Shell) -> None:
    shell.type("riseml status --sta\t")
    shell.until("--state")
    shell.type("\x15riseml completion fi\t")
    shell.until("fish")


def test_several_candidates_are_listed_in_a_real_shell(shell: Shell) -> None:
    shell.type("riseml com\t\t\t")
    shell.until("completion")
    shell.type("\x15riseml re\t\t\t")
    shell.until("rerun")


@pytest.mark.parametrize("shell_name", ["zsh", "fish"])
def test_the_code_for_other_shells_is_valid(shell_name: str, riseml: Riseml) -> None:
    code = riseml("completion", shell_name).out
    assert f"riseml {cli.COMPLETE}" in code
    if program := shutil.which(shell_name):
        assert subprocess.run([program, "-n", "-c", code], check=False).returncode == 0
