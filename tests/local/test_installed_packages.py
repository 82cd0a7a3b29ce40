"""Packages that install steps bring, from local folders: requirements files, editable packages."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from riseml.ids import Id
from riseml.status import State
from tests.local.conftest import Lab
from tests.local.packages import EDITABLE, wheel

MOUNTS = pytest.mark.parametrize("mounts", ["on", "off"])
SHOW = "run: python -c 'import mylib; print(mylib.V, mylib.__file__)'"


def install(*steps: str) -> str:
    return f"install: {json.dumps(steps)}\n"


def builds(lab: Lab, number: int) -> bool:
    return "build" in [job.type for job in lab.engine.read(Id(number=number)).jobs]


@MOUNTS
def test_jobs_import_the_code_of_their_revision_from_an_editable_package(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounts: str
) -> None:
    if mounts == "off":
        monkeypatch.setenv("RISEML_MOUNTS", "off")
    ran = tmp_path / "ran"
    first_step = f"echo first >> {ran}"
    text = install(first_step, f"pip install --no-deps -e .; echo second >> {ran}")
    lab.write(EDITABLE)
    waiting = lab.train(
        text + f"run: 'touch {tmp_path}/on; until test -e {tmp_path}/go; do sleep 0.1; done;"
        f" {SHOW.removeprefix('run: ').replace(chr(39), chr(34))}'"
    ).number  # fmt: skip
    lab.until((tmp_path / "on").exists)
    assert ran.read_text().split() == ["first", "second"]

    # An edit needs no build, and reaches only jobs that start with it.
    lab.write({"src/mylib/__init__.py": "V = 13\n"})
    (lab.folder / "src/mylib/extra.py").unlink()
    edited = lab.run(text + SHOW)
    assert edited.state is State.FINISHED
    assert not builds(lab, 2)
    version, path = lab.log(2).split()
    assert version == "13"
    folder = "/code" if mounts == "on" else f"{lab.engine.home}/runs/2/"
    assert path.startswith(folder)
    (tmp_path / "go").touch()
    assert lab.wait(waiting).state is State.FINISHED
    assert lab.log(Id(number=waiting, type="train")).split()[0] == "12"

    # A module that was removed does not remain.
    assert lab.run(text + "run: python -c 'import mylib.extra'").state is State.FAILED
    assert "No module named 'mylib.extra'" in lab.log(3)

    lab.write({"pyproject.toml": EDITABLE["pyproject.toml"] + "# changed\n"})
    assert lab.run(text + SHOW).state is State.FINISHED
    assert builds(lab, 4)
    assert ran.read_text().split() == ["first", "second", "second"]


def test_requirements_files_bring_the_files_that_they_name(
    lab: Lab, tmp_path: Path
) -> None:
    for version in ("1.0", "1.5", "2.0"):
        wheel(lab.folder / "wheels", "six7", version)
    lab.write({
        "requirements.txt": "-r reqs/more.txt\n-c constraints.txt\n",
        "reqs/more.txt": "--no-index\n--find-links ../wheels\nsix7\n",
        "constraints.txt": "six7<2\n",
        "unrelated.txt": "1",
    })  # fmt: skip
    text = install("pip install -r requirements.txt", "ls > listed")
    run = "run: python -c 'import six7; print(six7.VERSION, open(\"listed\").read())'"
    assert lab.run(text + run).state is State.FINISHED
    version, *listed = lab.log(Id(number=1, type="train")).split()
    assert version == "1.5"
    assert listed == ["constraints.txt", "listed", "reqs", "requirements.txt", "wheels"]

    lab.write({"unrelated.txt": "2"})
    assert lab.run(text + run).state is State.FINISHED
    assert not builds(lab, 2)
    lab.write({"constraints.txt": "six7<1.5\n"})
    assert lab.run(text + run).state is State.FINISHED
    assert lab.log(Id(number=3, type="train")).split()[0] == "1.0"


def test_an_environment_is_not_changed_by_one_that_continues_it(
    lab: Lab, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0"):
        wheel(tmp_path / "wheels", "six7", version)
    pip = f"pip install --no-index --find-links {tmp_path}/wheels"
    show = "python -c 'import six7; print(six7.VERSION, six7.__file__)'; cat $VIRTUAL_ENV/lines"
    run = f"run: {json.dumps(show)}"
    first, second = f"{pip} six7==1.0", "echo a >> $VIRTUAL_ENV/lines"
    assert lab.run(install(first, second) + run).state is State.FINISHED
    other = install(first, second, f"{pip} -U six7; echo b >> $VIRTUAL_ENV/lines")
    assert lab.run(other + run).state is State.FINISHED
    assert lab.run(install(first, second) + run).state is State.FINISHED
    logs = [lab.log(Id(number=number, type="train")).split() for number in (1, 2, 3)]
    assert [log[0] for log in logs] == ["1.0", "2.0", "1.0"]
    assert [log[2:] for log in logs] == [["a"], ["a", "b"], ["a"]]
    assert logs[0] == logs[2]
    assert logs[0][1] != logs[1][1]


def test_states_of_builds_are_removed_with_their_environments(lab: Lab) -> None:
    lab.run(install("true", "echo 2") + "run: 'true'")
    envs = lab.engine.home / "envs"
    assert sorted(path.suffix for path in envs.iterdir()) == ["", ".prefix"]
    assert lab.engine.prune_unused(time.time() - 3600).builds == 0
    assert len(list(envs.iterdir())) == 2
    assert lab.engine.prune_unused(time.time() + 1).builds == 1
    assert list(envs.iterdir()) == []


TRY = """
import importlib
for name in ("active", "path", "six7"):
    try:
        print(name, importlib.import_module(name).__name__ == name)
    except ModuleNotFoundError:
        print(name, False)
"""


UNPACK = """
import sys, sysconfig, zipfile
zipfile.ZipFile(sys.argv[1]).extractall(sysconfig.get_path("purelib"))
"""


def users_environment(folder: Path) -> dict[str, str]:
    """Make a virtual environment and a folder with packages of the user; return the variables that name them."""
    active = folder / "active"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", active], check=True)
    (packages,) = active.glob("lib/python*/site-packages")
    (packages / "active.py").touch()
    (folder / "extra").mkdir()
    (folder / "extra/path.py").touch()
    tool = active / "bin/users-tool"
    tool.write_text("#!/bin/sh\necho tool\n")
    tool.chmod(0o755)
    return {
        "VIRTUAL_ENV": str(active),
        "PATH": f"{active}/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "extra"),
    }


def test_packages_of_the_user_are_visible_unless_isolated(
    lab: Lab, tmp_path: Path
) -> None:
    user = users_environment(tmp_path)
    wheel(lab.folder / "wheels", "six7", "1.0")
    lab.write({"try.py": TRY, "unpack.py": UNPACK})
    # The environment of the user has no pip.
    text = install("python unpack.py wheels/six7-1.0-py3-none-any.whl")
    run = "run: python try.py; command -v users-tool || echo no tool"
    seen = lab.run(text + run, **user)
    hidden = lab.run(f"{text}isolated: true\n{run}", **user)
    bare = lab.run(f"isolated: true\n{run}", **user)
    assert {seen.state, hidden.state, bare.state} == {State.FINISHED}
    logs = [
        lab.log(Id(number=number, type="train")).splitlines() for number in (1, 2, 3)
    ]
    tool = f"{user['VIRTUAL_ENV']}/bin/users-tool"
    assert logs == [
        ["active True", "path True", "six7 True", tool],
        ["active False", "path False", "six7 True", "no tool"],
        ["active False", "path False", "six7 False", "no tool"],
    ]
