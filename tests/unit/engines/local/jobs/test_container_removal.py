"""Containers that are left over are removed, and those of running jobs are not."""

import sys
from pathlib import Path

import pytest

from riseml.engines.local.jobs import container_removal

# A program whose containers are files: their content is the file of their label.
_PROGRAM = """#!/bin/sh
cd {folder}
case "$1 $2" in
  "ps --all" | "network ls") ls containers ;;
  "container inspect" | "network inspect") for name; do :; done; cat "containers/$name" ;;
  "rm --force" | "network rm") echo "$*" >> removed
    for name; do rm -f "containers/$name"; done ;;
esac
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "containers").mkdir()
    file = tmp_path / "podman"
    file.write_text(_PROGRAM.format(folder=tmp_path))
    file.chmod(0o755)
    monkeypatch.setattr(container_removal, "_PAUSE_SECONDS", 0.0)
    return file


def containers(program: Path) -> list[str]:
    return sorted(path.name for path in program.with_name("containers").iterdir())


def test_containers_of_a_home_go_if_their_file_is_gone(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "containers"
    (tmp_path / "present.json").touch()
    (folder / "running").write_text(f"{tmp_path}/present.json\n")
    (folder / "left").write_text(f"{tmp_path}/absent.json\n")
    monkeypatch.setattr(sys, "argv", ["", "home", "/home/a", str(program)])
    container_removal.main()
    assert containers(program) == ["running"]


def test_all_containers_of_an_ended_job_go(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tmp_path / "job"
    job.mkdir()
    spec = job / container_removal.SPEC
    spec.write_text(f'{{"program": "{program}"}}')
    for name in ("first", "second"):
        (tmp_path / "containers" / name).write_text(f"{spec}\n")
    assert container_removal.is_needed(str(job))
    monkeypatch.setattr(sys, "argv", ["", "job", str(job)])
    container_removal.main()
    assert containers(program) == []
    assert not container_removal.is_needed(str(job))


def test_a_job_whose_container_stays_is_not_taken_for_removed(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / container_removal.SPEC).write_text(f'{{"program": "{program}"}}')
    monkeypatch.setattr(sys, "argv", ["", "job", str(tmp_path)])
    container_removal.main()
    assert container_removal.is_needed(str(tmp_path))


def test_a_job_without_a_container_needs_nothing(tmp_path: Path) -> None:
    assert not container_removal.is_needed(str(tmp_path))
