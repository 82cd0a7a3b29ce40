"""What a standalone document does before the run script: unpack its code, run install steps."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from riseml import templating
from riseml.project.embedded import embedded
from tests.unit.script_shells import SHELLS

shells = pytest.mark.parametrize("shell", SHELLS)


def _run(
    folder: Path, shell: str, lines: str, path: str = os.environ["PATH"]
) -> "subprocess.CompletedProcess[str]":
    program, *arguments = SHELLS[shell]
    return subprocess.run(
        [
            str(shutil.which(program)),
            *arguments,
            "-c",
            templating.read("unpack.sh") + lines,
        ],
        cwd=folder,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a b.py").write_text("x = 1\n")
    (tmp_path / "archive").write_text(embedded(tmp_path / "code"))
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


@shells
def test_the_code_is_unpacked(project: Path, shell: str) -> None:
    result = _run(project, shell, 'riseml_unpack "$(cat ../archive)"; echo ready')
    assert (result.returncode, result.stdout, result.stderr) == (0, "ready\n", "")
    assert (project / "a b.py").read_text() == "x = 1\n"


@shells
def test_python_unpacks_it_in_an_image_without_tar(
    project: Path, shell: str, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "cat").symlink_to(str(shutil.which("cat")))
    (programs / "python3").symlink_to(Path(sys.executable).resolve())
    # busybox has applets for what PATH lacks.
    result = _run(project, shell, 'riseml_unpack "$(cat ../archive)"', str(programs))
    assert result.returncode == 0, result.stderr
    assert (project / "a b.py").exists()


@shells
def test_a_folder_that_cannot_be_written_is_named(
    project: Path, shell: str, tmp_path: Path
) -> None:
    (tmp_path / "archive").write_text("no archive")
    result = _run(project, shell, 'riseml_unpack "$(cat ../archive)"; echo ready')
    assert result.returncode == 73
    assert f"cannot unpack the code in {project}" in result.stderr
    assert result.stdout == ""


@shells
def test_install_steps_run_in_shells_of_their_own(project: Path, shell: str) -> None:
    lines = "riseml_install 'cd / && x=1'\nriseml_install 'false; echo no'\necho no"
    result = _run(project, shell, f"{lines}")
    assert result.returncode == 1
    assert (
        result.stdout
        == "riseml: install: cd / && x=1\nriseml: install: false; echo no\n"
    )
    assert result.stderr == (
        "riseml: the install step failed with status 1: false; echo no\n"
    )
