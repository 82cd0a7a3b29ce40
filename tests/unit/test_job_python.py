"""PATH of jobs, with the layouts that pip, pipx, pyenv, conda and images make."""

import os
import sys
from pathlib import Path

import pytest

from riseml import job_python, own_packages

RISEML = """Metadata-Version: 2.4
Name: riseml2
Requires-Dist: rich>=13
Requires-Dist: urllib3[socks]>=2
Requires-Dist: optuna; extra == "search"

Requires-Dist: numpy
"""


def _environment(folder: Path, *packages: str, marks: bool = True) -> Path:
    """Make a virtual environment with RiseML and some packages; return its folder."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    texts = {
        "riseml2": RISEML,
        "rich": "Name: rich\nRequires-Dist: Markdown_It.py>=2\n",
        "markdown-it-py": "Name: markdown-it-py\n",
        "urllib3": (
            "Name: urllib3\nRequires-Dist: PySocks; extra == 'socks'\n"
            "Requires-Dist: brotli; extra == 'brotli'\n"
        ),
        "pysocks": "Name: PySocks\n",
        "pip": "Name: pip\n",
    }
    if not marks:
        del texts["riseml2"]
    for name in packages:
        texts[name] = f"Name: {name}\n"
    for name, text in texts.items():
        (site / f"{name}-1.0.dist-info").mkdir(parents=True)
        (site / f"{name}-1.0.dist-info" / "METADATA").write_text(text)
    (folder / "bin").mkdir()
    return folder


def _python(folder: Path, version: str) -> None:
    """Make programs `python` and `python3` that say that they are of a version."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho Python {version}\n")
        program.chmod(0o755)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an environment that holds RiseML and what that needs, nothing else."""
    folder = _environment(tmp_path / "riseml")
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    return folder


def _path(environment: dict[str, str]) -> list[str]:
    return job_python.with_own_last(environment)["PATH"].split(":")


def test_the_environment_of_riseml_comes_last(own: Path) -> None:
    path = f"{own}/bin:/opt/tools:/usr/bin"
    assert _path({"PATH": path}) == ["/opt/tools", "/usr/bin", f"{own}/bin"]


def test_all_spellings_of_the_directory_move(own: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(own / "bin")
    path = f"{own}/bin/:{link}:/usr/bin:{own}/lib/../bin"
    assert _path({"PATH": path}) == ["/usr/bin", f"{own}/bin/"]


def test_another_active_environment_comes_first(own: Path) -> None:
    environment = {"PATH": f"{own}/bin:/home/me/env/bin", "VIRTUAL_ENV": "/home/me/env"}
    assert _path(environment) == ["/home/me/env/bin", f"{own}/bin"]


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_stays(own: Path, variable: str) -> None:
    environment = {"PATH": f"{own}/bin:/usr/bin", variable: str(own)}
    assert _path(environment) == [f"{own}/bin", "/usr/bin"]


def test_a_program_of_pipx_changes_nothing(own: Path) -> None:
    assert _path({"PATH": "/home/me/.local/bin:/usr/bin"}) == [
        "/home/me/.local/bin",
        "/usr/bin",
    ]
    assert own.exists()


def test_an_environment_with_packages_of_the_user_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _environment(tmp_path / "image", "torch")
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert _path({"PATH": f"{folder}/bin:/usr/bin"}) == [f"{folder}/bin", "/usr/bin"]


@pytest.mark.parametrize(
    ("packages", "is_users"),
    [
        (("optuna",), False),  # an extra of RiseML
        (("brotli",), True),  # an extra of urllib3 that RiseML does not ask for
        (("wheel", "setuptools", "uv"), False),
    ],
)
def test_what_riseml_needs_does_not_make_an_environment_the_users(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    packages: tuple[str, ...],
    is_users: bool,
) -> None:
    folder = _environment(tmp_path / "riseml", *packages)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    first = _path({"PATH": f"{folder}/bin:/usr/bin"})[0]
    assert (first == f"{folder}/bin") is is_users


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("riseml-1.2.2.dist-info", "riseml 1.2.2"),
        ("riseml-0.3.9-py3.11.egg-info", "riseml 0.3.9"),
        ("riseml2-2.0.0.dist-info", ""),
        ("riseml_report-2.0.0.dist-info", ""),
    ],
)
def test_the_client_of_2018_is_found(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / name).mkdir()
    assert own_packages.earlier_client(tmp_path) == expected


def test_an_environment_that_lists_no_riseml_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _environment(tmp_path / "work", marks=False)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert _path({"PATH": f"{folder}/bin:/usr/bin"}) == [f"{folder}/bin", "/usr/bin"]


def test_a_python_that_is_no_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert _path({"PATH": "/usr/bin:/opt/bin"}) == ["/usr/bin", "/opt/bin"]


def test_pyenv_keeps_the_first_of_its_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "versions" / "3.12.4"
    shims = str(tmp_path / "shims")
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(sys, "base_prefix", str(folder))
    environment = {"PATH": f"{folder}/bin:{shims}", "PYENV_VERSION": "3.12.4"}
    assert _path(environment) == [f"{folder}/bin", shims]
    # RiseML is installed for the second version, and `python` is the first.
    environment["PYENV_VERSION"] = "3.10.1:3.12.4"
    assert _path(environment) == [shims, f"{folder}/bin"]


def test_the_python_that_commands_name_is_found(own: Path, tmp_path: Path) -> None:
    _python(tmp_path / "user", "3.12.4")
    environment = job_python.with_own_last(
        {"PATH": f"{own}/bin:{tmp_path}/user:/usr/bin:/bin"}
    )
    found = job_python.find(["python train.py"], environment)
    assert found == job_python.Interpreter(f"{tmp_path}/user/python", "3.12.4")


def test_riseml_says_when_jobs_have_only_its_own_python(own: Path) -> None:
    _python(own / "bin", "3.11.7")
    environment = job_python.with_own_last({"PATH": f"{own}/bin"})
    found = job_python.find(["python train.py"], environment)
    assert found == job_python.Interpreter(f"{own}/bin/python", "3.11.7", True)


def test_a_tool_names_its_python(tmp_path: Path, own: Path) -> None:
    _python(tmp_path / "user", "3.10.9")
    tool = tmp_path / "user" / "torchrun"
    tool.write_text(f"#!{tmp_path}/user/python3\n")
    tool.chmod(0o755)
    environment = {"PATH": f"{tmp_path}/user:{os.environ['PATH']}"}
    found = job_python.find(["torchrun train.py"], environment)
    assert found == job_python.Interpreter(f"{tmp_path}/user/python3", "3.10.9")
    assert own.exists()


def test_commands_without_any_python_find_none(tmp_path: Path) -> None:
    assert job_python.find(["./train"], {"PATH": str(tmp_path)}) is None


def test_a_python_that_does_not_run_is_none(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/nonexistent\n")
    (tmp_path / "python").chmod(0o755)
    assert job_python.find(["python x.py"], {"PATH": str(tmp_path)}) is None
