"""Python of jobs on this machine: what `train` says, and what the job finds."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml import config, planner
from riseml.status import State
from tests.local.conftest import Lab

SHOW = "run: command -v python\n"


def _python(folder: Path, version: str) -> None:
    folder.mkdir()
    program = folder / "python"
    program.write_text(f"#!/bin/sh\necho Python {version}\n")
    program.chmod(0o755)


def test_train_says_which_python_the_job_finds(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _python(tmp_path / "user", "3.9.18")
    monkeypatch.setenv("PATH", f"{tmp_path}/user:/usr/bin:/bin")
    submitted = lab.train(SHOW)
    assert submitted.notes[0] == f"Jobs use Python 3.9.18 ({tmp_path}/user/python)."
    assert lab.wait(submitted.number).state is State.FINISHED
    assert lab.log(submitted.number).strip() == f"{tmp_path}/user/python"


def test_the_python_of_riseml_comes_after_the_users(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "riseml"
    own.mkdir()
    _python(own / "bin", "3.14.0")
    _python(tmp_path / "user", "3.9.18")
    monkeypatch.setattr("riseml.job_python.sys.prefix", str(own))
    monkeypatch.setattr("riseml.job_python._is_users", lambda environment: False)
    monkeypatch.setenv("PATH", f"{own}/bin:{tmp_path}/user:/usr/bin:/bin")
    first = lab.train(SHOW)
    assert lab.wait(first.number).state is State.FINISHED
    assert lab.log(first.number).strip() == f"{tmp_path}/user/python"

    monkeypatch.setenv("PATH", f"{own}/bin:/usr/bin:/bin")
    second = lab.train(SHOW)
    assert second.notes[0] == (
        f"Jobs use RiseML's own Python 3.14.0 ({own}/bin/python):"
        " there is no other python on your PATH."
    )
    assert lab.wait(second.number).state is State.FINISHED


def test_differences_from_a_cluster_are_listed(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _python(tmp_path / "user", "3.9.18")
    text = "project: lab\ntrain:\n  image: python:3.12\n  run: python train.py\n"
    plan = planner.plan(config.load_text(text))
    note = f"Jobs use Python 3.9.18 ({tmp_path}/user/python)."
    environment = {"PATH": f"{tmp_path}/user:/usr/bin"}
    sentences = lab.engine.differences(plan, environment, "process")
    assert sentences == [
        "Jobs get the environment variables of this terminal.",
        f"{note} The packages installed there are used as well.",
        "The image python:3.12 is not used.",
        "`cpus` and `mem` decide when a job starts. They do not limit what it uses.",
        "Jobs run as you, and can read and write all of your files.",
    ]
    limited = replace(plan, enforces_resources=True)
    shorter = lab.engine.differences(limited, environment, "process")
    assert shorter == sentences[:3] + sentences[4:]
    in_containers = lab.engine.differences(plan, environment, "podman")
    assert in_containers == [
        "`cpus` is a share of this machine. A job may use more while others are idle.",
        "TensorBoard and the job of a search run as processes in your own environment.",
    ]
