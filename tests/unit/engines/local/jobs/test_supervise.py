"""Steps as shell text."""

import os
import subprocess
from pathlib import Path

import pytest

from riseml import templating
from riseml.engines.local.jobs import supervise

_FUNCTIONS = 'enter() { cd -- "$1"; }\n'
_SCRIPT = 'printf "%s|" "$0" "$@" "${BASH_VERSION:+bash}" "$X"'


def _run(folder: Path, **variables: str) -> str:
    """Return the output of a job whose PATH has a `sh` that only says its name."""
    sh = folder / "sh"
    sh.write_text("#!/bin/sh\necho another shell\n")
    sh.chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "X": "it's\n$X", **variables}
    argv = ["sh", "-c", templating.read(templating.BASH), _SCRIPT, "a 'b'", "$c\n"]
    text = supervise.command(argv, env, str(folder))
    shell = ["/bin/sh", "-s"]
    process = subprocess.run(
        shell,
        input=_FUNCTIONS.encode() + text,
        stdout=subprocess.PIPE,
        check=True,
        env={},
    )
    return process.stdout.decode()


def test_the_run_script_starts_without_a_shell_before_it(tmp_path: Path) -> None:
    assert _run(tmp_path) == "riseml|a 'b'|$c\n|bash|it's\n$X|"


def test_without_bash_the_run_script_runs_in_the_sh_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert _run(tmp_path) == "another shell\n"


def test_a_variable_that_no_shell_can_export_reaches_the_shell(tmp_path: Path) -> None:
    assert _run(tmp_path, **{"A-B": "1"}) == "another shell\n"
