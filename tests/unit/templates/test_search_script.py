"""The script of the job that chooses parameters: it needs a Python that is new enough, and unpacks its modules."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from riseml import templating

SHELLS = list(filter(shutil.which, ("dash", "bash")))
MODULES = """\
#: riseml/__init__.py
#: riseml/rounds/__init__.py
#: riseml/rounds/step.py
import riseml, sys
print(riseml.__file__, "'quoted'", sys.argv[0].endswith("step.py"))
"""


def run(
    shell: str, folder: Path, python: str | None
) -> subprocess.CompletedProcess[str]:
    """Run the script with `python3` on PATH as the given text of a shell script."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("mkdir", "sh"):
        (programs / name).symlink_to(shutil.which(name) or name)
    if python is not None:
        (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (programs / "python3").chmod(0o755)
    variables = {
        "PATH": str(programs),
        "RISEML_DIR": str(folder),
        "RISEML_MODULES": MODULES,
        # A package of the same name must not come first.
        "PYTHONPATH": os.fspath(Path(__file__).parents[3]),
    }
    path = shutil.which(shell) or shell
    return subprocess.run(
        [path, "-c", templating.read("search.sh")],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_modules_are_unpacked_and_come_first(shell: str, tmp_path: Path) -> None:
    done = run(shell, tmp_path, f'exec "{sys.executable}" "$@"')
    assert done.returncode == 0, done.stderr
    package = tmp_path / "search" / "riseml" / "__init__.py"
    assert done.stdout == f"{package} 'quoted' True\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_missing_python_is_named(shell: str, tmp_path: Path) -> None:
    done = run(shell, tmp_path, None)
    assert done.returncode == 127
    assert done.stderr == (
        "riseml: there is no python here, and the search needs Python 3.11 or newer\n"
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_an_old_python_is_named(shell: str, tmp_path: Path) -> None:
    done = run(shell, tmp_path, '[ "$1" = -V ] && echo Python 3.9.1; exit 1')
    assert done.returncode == 127
    assert done.stderr == (
        "riseml: Python 3.9.1 is too old, and the search needs Python 3.11 or newer: "
        "name one in `search: {image: …}`, or put it first on your PATH\n"
    )
