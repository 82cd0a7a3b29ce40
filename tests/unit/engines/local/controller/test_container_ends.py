"""The end of a job is recorded once its container is gone; a controller removes what others left."""

import json
import select
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.engines.local.controller import container_ends
from riseml.engines.local.controller.loop import EventLoop
from riseml.engines.local.jobs import container_removal
from riseml.engines.local.jobs.pod import Pod

# A program with one container, which has the label of a job or a home.
_PROGRAM = """#!/bin/sh
cd {folder}
case "$1 $2" in
  "ps --all") [ ! -e box ] || echo box ;;
  "container inspect") echo {folder}/gone.json ;;
  "rm --force") rm -f box ;;
esac
"""


class Loop:
    """A loop that waits at once."""

    def on_readable(self, descriptor: int, act: Callable[[], None]) -> None:
        select.select([descriptor], (), (), 30)
        act()

    def ignore(self, descriptor: int) -> None:
        """Do nothing."""


@pytest.fixture
def loop() -> EventLoop:
    return cast(EventLoop, Loop())


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "podman"
    file.write_text(_PROGRAM.format(folder=tmp_path))
    file.chmod(0o755)
    (tmp_path / "box").touch()
    return file


def record(program: Path) -> str:
    environment = {"PATH": "/usr/bin:/bin"}
    return json.dumps({"program": str(program), "environment": environment})


def pod(directory: Path) -> Pod:
    return cast(Pod, SimpleNamespace(directory=directory, node="train"))


def test_a_container_that_its_attendant_left_is_removed_first(
    program: Path, loop: EventLoop
) -> None:
    directory = program.parent
    (directory / container_removal.SPEC).write_text(record(program))
    present: list[Any] = []
    container_ends.complete(
        pod(directory), loop, lambda: present.append((directory / "box").exists())
    )
    assert present == [False]


def test_a_job_ends_although_its_container_cannot_be_removed(
    program: Path, loop: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    (program.parent / container_removal.SPEC).write_text("{}")
    record_ = {"program": "/nowhere", "environment": {}}
    (program.parent / container_removal.SPEC).write_text(json.dumps(record_))
    calls: list[str] = []
    container_ends.complete(pod(program.parent), loop, lambda: calls.append("done"))
    assert calls == ["done"]


def test_a_process_has_nothing_to_remove(tmp_path: Path, loop: EventLoop) -> None:
    calls: list[str] = []
    container_ends.complete(pod(tmp_path), loop, lambda: calls.append("done"))
    assert calls == ["done"]


def test_containers_of_no_job_go_when_a_controller_starts(
    program: Path, loop: EventLoop
) -> None:
    folder = program.parent / "containers"
    folder.mkdir()
    (folder / "podman.json").write_text(record(program))
    container_ends.end_leftovers(program.parent, loop)
    assert not (program.parent / "box").exists()


def test_a_home_without_containers_calls_no_program(
    tmp_path: Path, loop: EventLoop
) -> None:
    container_ends.end_leftovers(tmp_path, loop)
