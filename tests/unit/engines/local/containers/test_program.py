"""Container programs are found, called with their own settings, and say why they fail."""

from pathlib import Path

import pytest

from riseml.engines.local.containers.program import (
    ContainerProgram,
    own_environment,
)
from riseml.errors import RiseMLError


def fake(folder: Path, script: str) -> ContainerProgram:
    file = folder / "podman"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    path = f"{folder}:/usr/bin:/bin"
    program = ContainerProgram.find("podman", {"PATH": path, "SECRET": "x"})
    assert program is not None
    return program


def test_a_program_that_is_not_on_the_path_is_not_found(tmp_path: Path) -> None:
    assert ContainerProgram.find("podman", {"PATH": str(tmp_path)}) is None


def test_a_program_sees_its_settings_and_nothing_meant_for_jobs() -> None:
    environment = {
        "PATH": "/bin",
        "CONTAINERS_CONF": "/c",
        "STORAGE_DRIVER": "vfs",
        "DOCKER_HOST": "unix:///d",
        "WANDB_API_KEY": "x",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    assert own_environment(environment) == {
        "PATH": "/bin",
        "CONTAINERS_CONF": "/c",
        "STORAGE_DRIVER": "vfs",
        "DOCKER_HOST": "unix:///d",
    }


def test_a_call_has_only_the_environment_of_the_program(tmp_path: Path) -> None:
    program = fake(tmp_path, 'echo "$SECRET|$1"')
    assert program.read("info") == "|info\n"


def test_a_failed_call_says_why(tmp_path: Path) -> None:
    program = fake(tmp_path, "echo one >&2; echo Error: no daemon >&2; exit 125")
    with pytest.raises(RiseMLError, match="`podman info`: Error: no daemon"):
        program.read("info")


def test_a_call_that_hangs_is_given_up(tmp_path: Path) -> None:
    program = fake(tmp_path, "exec sleep 60")
    with pytest.raises(RiseMLError, match="does not end within 0 seconds"):
        program.call("info", seconds=0.2)


@pytest.mark.parametrize(
    "message",
    ["Error: x: image not known", "Error: No such image: x"],
)
def test_an_image_that_is_missing_is_none(tmp_path: Path, message: str) -> None:
    program = fake(tmp_path, f"echo '{message}' >&2; exit 1")
    assert program.inspect_image("x") is None


def test_a_program_that_does_not_work_is_not_a_missing_image(tmp_path: Path) -> None:
    program = fake(tmp_path, "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(RiseMLError, match="Cannot connect to the Docker daemon"):
        program.inspect_image("x")


def test_an_image_is_described(tmp_path: Path) -> None:
    program = fake(tmp_path, """echo '[{"Id": "sha256:1"}]'""")
    assert program.inspect_image("x") == {"Id": "sha256:1"}
