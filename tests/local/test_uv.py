"""uv in place of pip in install steps: the packages of the user stay visible, and pip does what uv does differently."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab
from tests.local.packages import wheel

# It installs nothing, and prints the records that the environment has meanwhile.
FAKE_UV = """\
#!/bin/sh
echo "uv $*"
ls "$VIRTUAL_ENV"/lib/python*/site-packages | grep dist-info
case $* in *seen7) ;; *) exit 1 ;; esac
"""
PIP = ("pip", "install", "--no-index", "--find-links")


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in filter(re.compile("PIP_").match, list(os.environ)):
        monkeypatch.delenv(name)


def build_log(lab: Lab, number: int) -> list[str]:
    return lab.log(Id(number=number, type="build")).splitlines()


def user_with_package(folder: Path, programs: Path) -> dict[str, str]:
    """Make an environment of the user that has the package seen7; return the variables that name it."""
    active = folder / "active"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "venv",
            "--system-site-packages",
            "--without-pip",
            active,
        ],
        check=True,
    )
    (packages,) = active.glob("lib/python*/site-packages")
    shutil.unpack_archive(wheel(folder / "wheels", "seen7", "1.0"), packages, "zip")
    return {
        "VIRTUAL_ENV": str(active),
        "PATH": f"{active}/bin:{programs}:{os.environ['PATH']}",
        "PIP_CONFIG_FILE": os.devnull,
    }


def test_uv_sees_the_packages_of_the_user_and_pip_does_the_rest(
    lab: Lab, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "uv").write_text(FAKE_UV)
    (programs / "uv").chmod(0o755)
    user = user_with_package(tmp_path, programs)
    wheel(tmp_path / "wheels", "six7", "1.0")
    steps = [
        f"{' '.join(PIP)} {tmp_path}/wheels seen7",
        f"{' '.join(PIP)} {tmp_path}/wheels six7",
        f"{' '.join(PIP)} {tmp_path}/wheels --upgrade six7",
        "ls $VIRTUAL_ENV/lib/python*/site-packages > $VIRTUAL_ENV/listed",
    ]
    text = f"install: {json.dumps(steps)}\nrun: cat $VIRTUAL_ENV/listed"
    assert lab.run(text, **user).state is State.FINISHED
    lines = build_log(lab, 1)
    calls = [line for line in lines if line.startswith("uv ")]
    # uv would upgrade more than pip does.
    assert len(calls) == 2
    for call, name in zip(calls, ("seen7", "six7"), strict=True):
        assert call.startswith("uv pip install --no-config --python ")
        assert call.endswith(f"--no-index --find-links {tmp_path}/wheels {name}")
    assert "seen7-1.0.dist-info" in lines
    assert "riseml: uv cannot do this, so pip does it" in lines
    installed = lab.log(Id(number=1, type="train")).split()
    assert "six7-1.0.dist-info" in installed
    assert "seen7-1.0.dist-info" not in installed


@pytest.mark.skipif(not shutil.which("uv"), reason="uv is not installed")
def test_uv_installs_what_the_user_does_not_have(lab: Lab, tmp_path: Path) -> None:
    user = user_with_package(tmp_path, tmp_path)
    for name in ("seen7", "new7"):
        wheel(tmp_path / "wheels", name, "1.0")
        wheel(tmp_path / "wheels", name, "2.0")
    show = "python -c 'import new7, seen7; print(new7.VERSION, seen7.VERSION, seen7.__file__)'"
    pip = f"{' '.join(PIP)} {tmp_path}/wheels"
    for number, requirement, seen in ((1, "seen7", "1.0"), (2, "'seen7>1'", "2.0")):
        text = f"install: {json.dumps([f'{pip} {requirement} new7'])}\nrun: {json.dumps(show)}"
        assert lab.run(text, **user).state is State.FINISHED
        assert "riseml: uv cannot do this, so pip does it" not in build_log(lab, number)
        new, version, path = lab.log(Id(number=number, type="train")).split()
        assert (new, version) == ("2.0", seen)
        assert path.startswith(user["VIRTUAL_ENV"]) == (seen == "1.0")
