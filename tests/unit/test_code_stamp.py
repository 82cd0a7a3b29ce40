"""Stamp of the code: it covers all that planning and compiling load, and changes with it."""

import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

import riseml
from riseml import code_stamp, templating

ROOT = Path(__file__).parents[2]
# Everything that a process opens while it plans and compiles all examples
_OPENED = """
import json, os, sys
opened = []
sys.addaudithook(lambda event, values: event == "open" and opened.append(str(values[0])))
from pathlib import Path
from riseml import config, planner, plan_data
from riseml.compiler import cache, compile_workflow
from riseml.plan import Origin, Target
for file in sorted(Path(sys.argv[1]).glob("*/riseml.yml")):
    plan = planner.plan(config.load(file))
    compile_workflow(plan, Origin("me", 1, "0" * 40), Target())
modules = [m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)]
print(json.dumps([opened, modules]))
"""


def test_the_packages_are_those_below_the_compiler() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    layers = tool["importlinter"]["contracts"][0]["layers"]
    lower = " | ".join(layers[layers.index("compiler | plan_data") :]).split(" | ")
    packages = [name for name in lower if (ROOT / "riseml" / name).is_dir()]
    # Nothing that is planned or compiled depends on the GPUs of this machine.
    assert sorted(packages) == sorted([*code_stamp.PACKAGES, "gpus"])


def test_it_covers_every_file_that_planning_and_compiling_read() -> None:
    done = subprocess.run(
        [sys.executable, "-B", "-c", _OPENED, str(ROOT / "examples")],
        cwd=ROOT,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    opened, modules = json.loads(done.stdout)
    covered = set()
    for folder in code_stamp._folders():
        covered |= {f"{folder}/{name}" for name, _ in code_stamp._files(folder)}
    packages = {path for path in modules if path.startswith(sys.prefix)}
    own = {
        path
        for path in {*modules, *opened} - packages
        if path.startswith(str(ROOT)) and "__pycache__" not in path
    }
    inputs = {path for path in own if path.startswith(str(ROOT / "examples"))}
    assert own - inputs - {p for p in own if p.startswith(sys.prefix)} <= covered
    assert len(own) > 80
    # An installation of any package that it loads changes the folder of all of them.
    sites = [code_stamp._installed(name)[1] for name in code_stamp._OTHERS]
    assert packages
    for path in packages:
        assert any(Path(path).is_relative_to(site) for site in sites), path


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the package's folders with a file in each."""
    package = tmp_path / "riseml"
    for name in ("", *code_stamp.PACKAGES):
        (package / name).mkdir()
        (package / name / "module.py").write_text("x = 1\n")
    (package / "templates/kaniko").mkdir(parents=True)
    (package / "templates/run.sh").write_text("echo\n")
    (package / "templates/kaniko/build.sh").write_text("echo\n")
    monkeypatch.setattr(code_stamp, "_PACKAGE", str(package))
    monkeypatch.setattr(code_stamp, "_start_time", lambda: time.time() + 60)
    return package


def test_every_change_of_a_file_changes_it(code: Path) -> None:
    stamps = [code_stamp.current()]
    for file in sorted(code.rglob("*.*")):
        # The same size, and the same time of modification
        before = file.stat()
        file.write_text(file.read_text().upper())
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        stamps.append(code_stamp.current())
    (code / "search/new.py").touch()
    stamps.append(code_stamp.current())
    (code / "templates/run.sh").unlink()
    stamps.append(code_stamp.current())
    assert None not in stamps
    assert len(set(stamps)) == len(stamps) == 4 + len(code_stamp.PACKAGES) + 2
    assert code_stamp.current() == stamps[-1]


def test_code_that_changes_during_the_process_has_none(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = (code / "module.py").stat().st_ctime
    monkeypatch.setattr(code_stamp, "_start_time", lambda: changed - 5)
    assert code_stamp.current() is None
    monkeypatch.setattr(code_stamp, "_start_time", lambda: changed + 5)
    assert code_stamp.current() is not None


def test_code_that_is_being_replaced_has_none(code: Path) -> None:
    (code / "search/module.py").unlink()
    (code / "search").rmdir()
    assert code_stamp.current() is None


def test_another_version_changes_it(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Some file systems say of all files that they are of 1970.
    monkeypatch.setattr(riseml, "__version__", "2.1.0")
    before = code_stamp.current()
    monkeypatch.setattr(riseml, "__version__", "2.1.1")
    assert None not in {before, code_stamp.current()}
    assert before != code_stamp.current()


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_a_system_without_times_of_processes_has_none(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse() -> float:
        raise error

    monkeypatch.setattr(code_stamp, "_start_time", refuse)
    assert code_stamp.current() is None


def test_the_start_of_a_process_is_known() -> None:
    program = "from riseml import code_stamp; print(code_stamp._start_time())"
    before = time.time()
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, text=True, capture_output=True
    )
    assert before - 0.1 <= float(done.stdout) <= time.time()


def test_another_version_of_a_package_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "hera").mkdir(parents=True)
    (site / "hera/__init__.py").touch()
    monkeypatch.setattr(code_stamp, "_start_time", lambda: time.time() + 60)
    before = code_stamp.current()
    monkeypatch.syspath_prepend(str(site))
    there = code_stamp.current()
    (site / "hera-8.dist-info").mkdir()
    assert len({before, there, code_stamp.current()}) == 3


def test_the_templates_are_those_that_documents_get() -> None:
    assert str(templating.folder()) in code_stamp._folders()
