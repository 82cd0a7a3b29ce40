"""The script that `make demo` and `make test` install with: it shows what it does."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / ".ci/install"
# A Python whose `-m venv` makes an environment that has it as well
_FAKE = """#!/bin/sh
case "$*" in
  *"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *--require-hashes*) echo 'Collecting attrs==25.1 (from -r requirements.lock)'; sleep 0.2; {ending} ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    hashes = " \\\n    --hash=sha256:00\n"
    lock = "".join(f"{name}==1.0{hashes}" for name in ("attrs", "rich", "typer"))
    (tmp_path / "requirements.lock").write_text(lock)
    _write_python(tmp_path, "true")
    return tmp_path


def _write_python(folder: Path, ending: str) -> None:
    python = folder / "python"
    python.write_text(_FAKE.format(ending=ending))
    python.chmod(0o755)


def _install(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [INSTALL, folder / "python", "venv"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_names_its_steps_and_their_time(folder: Path) -> None:
    result = _install(folder)
    assert (result.returncode, result.stdout) == (0, "")
    first, *steps, last = result.stderr.splitlines()
    assert first == (
        "Installing RiseML and all that its tests need, 3 packages, in venv. "
        "It takes a minute or two, once."
    )
    assert steps == [
        "1 of 3: making a virtual environment in venv ...",
        "2 of 3: installing 3 packages ...",
        "3 of 3: installing riseml ...",
    ]
    assert last.startswith("Installed riseml and 3 packages in venv in ")


def test_a_failure_shows_what_the_step_wrote(folder: Path) -> None:
    _write_python(folder, "echo 'ERROR: no route to host' >&2; exit 7")
    result = _install(folder)
    assert result.returncode == 7
    *_, error, last = result.stderr.splitlines()
    assert error == "ERROR: no route to host"
    assert last.startswith("2 of 3: installing 3 packages failed after ")


def test_a_terminal_shows_the_last_line_of_pip(folder: Path) -> None:
    _write_python(folder, "sleep 1.5")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        [INSTALL, folder / "python", "venv"],
        cwd=folder,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    screen = b""
    while b"Installed riseml" not in screen:
        screen += os.read(ours, 4096)
    assert process.wait() == 0
    os.close(ours)
    progress = rb"2 of 3: installing 3 packages, \d s: Collecting attrs==25.1"
    assert re.search(progress, screen), screen
