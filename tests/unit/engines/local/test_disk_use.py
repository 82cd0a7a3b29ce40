"""Disk space of a home without runs: environments, images, what belongs to no run."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from riseml.engines.local import disk_use
from riseml.engines.local.containers.built_images import BuiltImage
from riseml.engines.local.containers.program import ContainerProgram
from riseml.engines.local.store import Store

GIB = 1 << 30
PROGRAM = cast(ContainerProgram, None)


class ActiveStore(Store):
    """A database with a run that has not ended."""

    def unfinished(self) -> list[int]:
        return [1]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    images = [
        BuiltImage("a", PROGRAM, 2 * GIB, 0.0),
        BuiltImage("b", PROGRAM, GIB, time.time()),
    ]

    def built_images(_: Path, environment: Mapping[str, str]) -> list[BuiltImage]:
        return images

    monkeypatch.setattr(disk_use, "built_images", built_images)
    return tmp_path


def write(path: Path, size: int = 100_000) -> int:
    """Write a file, and return how many bytes it takes with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    blocks = path.stat().st_blocks + path.parent.stat().st_blocks
    return blocks * 512


def test_environments_and_images_of_install_steps(home: Path) -> None:
    old = write(home / "envs/0a/.complete")
    new = write(home / "envs/0b/.complete")
    os.utime(home / "envs/0a/.complete", (1, 1))
    space = disk_use.measured(home, Store(home), [], time.time() - 60)
    assert space.builds == old + new
    assert (space.build_count, space.unused_builds) == (4, 2)
    assert space.freed.builds == old
    assert space.notes == (
        "Install steps have made 2 images of up to 3.0 GB, which are not counted here.",
    )


def test_nothing_of_them_is_removed_while_a_run_is_active(home: Path) -> None:
    write(home / "envs/0a/.complete")
    os.utime(home / "envs/0a/.complete", (1, 1))
    space = disk_use.measured(home, ActiveStore(home), [], time.time() - 60)
    assert (space.unused_builds, space.freed.builds) == (0, 0)
    assert space.notes[0] == (
        "`prune` keeps environments and images while a run is active."
    )


def test_outputs_that_belong_to_no_run_are_other_space(home: Path) -> None:
    orphan = write(home / "output/me/p/7/model")
    mine = write(home / "output/me/p/notes/mine")
    empty = disk_use.measured(home / "nothing", Store(home), [], 0.0)
    space = disk_use.measured(home, Store(home), [], 0.0)
    assert (empty.outputs, empty.other) == ({}, 0)
    assert space.outputs == {}
    assert orphan + mine <= space.other < orphan + mine + 50_000
