"""What `riseml doctor` says about podman and docker."""

from dataclasses import replace
from pathlib import Path

import pytest

from riseml.doctor.findings import FAILED, OK, WARNING, Outcome
from riseml.engines.local.container_check import containers
from riseml.settings import Settings
from tests.unit.engines.local.containers.fake_programs import (
    NO_DAEMON,
    Programs,
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    programs = Programs(tmp_path / "programs")
    monkeypatch.setenv("PATH", programs.environment["PATH"])
    return programs


def check(tmp_path: Path, runner: str = "auto") -> Outcome:
    return containers(replace(Settings(tmp_path, "me"), runner=runner))


def test_the_engine_that_auto_chooses_is_named(
    tmp_path: Path, programs: Programs
) -> None:
    programs.podman()
    programs.docker(info={}, errors=[NO_DAEMON])
    outcome = check(tmp_path)
    both = "podman 5.1.2 (overlay, as root); docker: its daemon does not run"
    assert (outcome.result, outcome.detail) == (
        OK,
        f"{both}. Jobs with an image of their own use podman",
    )


def test_a_broken_engine_is_a_warning_with_advice(
    tmp_path: Path, programs: Programs
) -> None:
    programs.docker(info={}, errors=[NO_DAEMON])
    outcome = check(tmp_path)
    both = "podman: it is not installed; docker: its daemon does not run"
    assert (outcome.result, outcome.detail) == (
        WARNING,
        f"jobs do not use them: {both}",
    )
    assert outcome.fix == "Start it: `sudo systemctl start docker`."


@pytest.mark.usefixtures("programs")
def test_nobody_has_to_install_an_engine(tmp_path: Path) -> None:
    assert check(tmp_path).result == OK


def test_an_engine_that_the_settings_name_has_to_work(
    tmp_path: Path, programs: Programs
) -> None:
    programs.docker(info={}, errors=[NO_DAEMON])
    outcome = check(tmp_path, "docker")
    assert (outcome.result, outcome.detail) == (
        FAILED,
        "the setting runner names docker: its daemon does not run",
    )
    programs.podman()
    assert check(tmp_path, "podman").detail.endswith("All jobs use podman")
    assert check(tmp_path, "process").detail.startswith("the setting runner ignores")
