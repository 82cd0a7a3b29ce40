"""Disk space on a cluster: what `du` in the store counts, and what `prune` would free."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from riseml.consumption import Disk, DiskUse
from riseml.engines.argo import code, disk_use
from riseml.engines.argo.images import Images
from riseml.status import SetStatus, State
from tests.unit.engines.argo.test_code import LARGE, Desk

__all__ = ["desk"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    laptop = Desk(tmp_path)
    for module in (code, disk_use):
        monkeypatch.setattr(module, "REPOSITORIES", str(laptop.repositories))
    return laptop


@dataclass
class SomeImages:
    """Images of which some are unused."""

    all: int = 0
    unused_keys: dict[str, str] = field(default_factory=dict)

    def count(self) -> int:
        return self.all

    def unused(self, before: float) -> dict[str, str]:
        assert before == 5.0
        return self.unused_keys


def run(number: int, revision: str = "", state: State = State.FINISHED) -> SetStatus:
    return SetStatus(
        str(number),
        user="me",
        project="mnist",
        number=number,
        revision=revision,
        state=state,
    )


def measured(
    desk: Desk, removed: list[SetStatus], kept: list[SetStatus], **images: Any
) -> DiskUse:
    return disk_use.measured(
        desk.store,
        cast(Images, SomeImages(**images)),
        user="me",
        last_number=0,
        removed=removed,
        kept=kept,
        unused_since=5.0,
    )


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))


def kilobytes(path: Path) -> int:
    """Return what a file with content and its folders take, in whole kilobytes."""
    total = 0
    for entry in [path, *path.rglob("*")]:
        total += entry.lstat().st_blocks * 512
    return total // 1024 * 1024


def test_outputs_belong_to_runs_and_the_rest_to_none(
    desk: Desk, tmp_path: Path
) -> None:
    output = tmp_path / "me"
    write(output / "mnist/1/model", 300_000)
    write(output / "mnist/2/1/model", 500_000)
    write(output / "mnist/notes/mine", 100_000)
    os.link(output / "mnist/1/model", output / "mnist/1/best")
    space = measured(desk, [run(1)], [run(2)])
    assert space.outputs == {
        "1": kilobytes(output / "mnist/1") - kilobytes(output / "mnist/1/best"),
        "2": kilobytes(output / "mnist/2"),
    }
    assert space.freed.outputs == space.outputs["1"]
    assert 100_000 <= space.other < 150_000
    assert measured(desk, [], [run(1), run(2)]).freed == Disk()


def test_a_user_without_anything_takes_no_space(desk: Desk) -> None:
    assert measured(desk, [], []) == DiskUse()


def test_code_that_no_other_run_needs_would_be_freed(desk: Desk) -> None:
    old, new = desk.push("old"), desk.push("new")
    desk.age()
    space = measured(desk, [run(1, old)], [run(2, new)])
    assert space.code["mnist"] >= LARGE
    # The large file belongs to both.
    assert 0 < space.freed.code < 10_000
    everything = measured(desk, [run(1, old), run(2, new)], [])
    assert LARGE < everything.freed.code < 2 * LARGE
    before = desk.size()
    code.prune(desk.store, [])
    assert everything.freed.code <= before - desk.size() + LARGE // 10


def test_code_of_the_last_hour_stays(desk: Desk) -> None:
    old = desk.push("old")
    # Only the history of pushes, which has no files, is not needed.
    assert measured(desk, [run(1, old)], []).freed.code < 500


def test_nothing_but_outputs_would_be_freed_while_a_run_is_active(
    desk: Desk, tmp_path: Path
) -> None:
    old = desk.push("old")
    desk.age()
    write(tmp_path / "me/mnist/1/model", 300_000)
    active = run(2, state=State.RUNNING)
    unused = {"a": "x@sha256:1"}
    space = measured(desk, [run(1, old)], [active], all=3, unused_keys=unused)
    assert space.freed == Disk(outputs=space.outputs["1"])
    assert (space.build_count, space.unused_builds) == (3, 0)
    assert space.notes == (
        "The registry does not say how much space images take.",
        "`prune` keeps images and code while a run is active.",
    )


def test_unused_images_are_counted(desk: Desk) -> None:
    space = measured(desk, [], [], all=3, unused_keys={"a": "x", "b": "y"})
    assert (space.build_count, space.unused_builds, space.builds) == (3, 2, 0)


@pytest.mark.skipif(not shutil.which("busybox"), reason="there is no busybox")
def test_the_du_of_the_stores_image_prints_the_same(desk: Desk, tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415

    write(tmp_path / "me/mnist/1/model", 300_000)
    command = ["du", "-k", "-d", "2", "."]
    folder = tmp_path / "me"
    texts = []
    for prefix in ([], ["busybox"]):
        done = subprocess.run(
            [*prefix, *command], cwd=folder, capture_output=True, check=True
        )
        texts.append(disk_use._sizes(done.stdout))
    assert texts[0] == texts[1]
