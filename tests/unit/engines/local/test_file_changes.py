"""Waiting for changes of files: a wait ends with a change, and sleeps without one."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riseml.engines.local import file_changes
from riseml.engines.local.file_changes import FileChanges
from tests.unit.engines.local.controlled_home import ControlledHome
from tests.unit.plans import grid

LONG = 30.0


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system report changes from the first wait on, and never end a wait by itself."""
    monkeypatch.setattr(file_changes, "_EAGER_SECONDS", 0.0)
    monkeypatch.setattr(file_changes, "_SECOND_LOOK_SECONDS", LONG)
    monkeypatch.setattr(file_changes, "_QUIET_SECONDS", LONG)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("")
    return path


def waits_for(changes: FileChanges, change: Callable[[], object]) -> bool:
    """Return whether a wait ends soon after a change, and not before."""
    changes.hurry(0.0)
    changes.wait()
    thread = threading.Thread(target=changes.wait, daemon=True)
    thread.start()
    thread.join(0.05)
    is_waiting = thread.is_alive()
    change()
    thread.join(LONG / 2)
    return is_waiting and not thread.is_alive()


def test_a_wait_ends_when_a_file_grows(file: Path) -> None:
    changes = FileChanges([file])
    assert waits_for(changes, lambda: file.write_text("more"))
    changes.close()


def test_a_wait_ends_when_a_file_appears_in_a_folder(tmp_path: Path) -> None:
    changes = FileChanges([])
    changes.watch(tmp_path)
    assert waits_for(changes, lambda: (tmp_path / "new").write_text(""))
    changes.close()


def test_a_folder_may_be_added_while_changes_are_reported(tmp_path: Path) -> None:
    changes = FileChanges([tmp_path])
    changes.hurry(0.0)
    changes.wait()
    folder = tmp_path / "later"
    folder.mkdir()
    changes.watch(folder)
    changes.wait()
    assert waits_for(changes, lambda: (folder / "new").write_text(""))
    changes.close()


def test_a_file_that_is_replaced_is_found_again(tmp_path: Path, file: Path) -> None:
    changes = FileChanges([file])
    changes.hurry(0.0)
    changes.wait()
    other = tmp_path / "other"
    other.write_text("")
    other.replace(file)
    # The system reports that the former file is gone.
    changes.wait()
    assert waits_for(changes, lambda: file.write_text("more"))
    changes.close()


def test_a_file_that_appears_is_found(tmp_path: Path) -> None:
    file = tmp_path / "file"
    changes = FileChanges([file])
    changes.hurry(0.0)
    changes.wait()
    file.write_text("")
    assert waits_for(changes, lambda: file.write_text("more"))
    changes.close()


def test_a_wait_without_reports_is_short(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "other")
    slept: list[float] = []
    changes = FileChanges([file])
    monkeypatch.setattr(time, "sleep", slept.append)
    changes.wait()
    changes.wait()
    assert slept == [0.03, 0.03]


def test_too_many_folders_end_the_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_changes, "_MAX_FOLDERS", 2)
    slept: list[float] = []
    changes = FileChanges([])
    changes.hurry(0.0)
    changes.wait()
    for name in ("a", "b", "c"):
        changes.watch(tmp_path / name)
    monkeypatch.setattr(time, "sleep", slept.append)
    changes.wait()
    assert slept == [0.03]


def test_pauses_grow_while_changes_follow_each_other(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    changes = FileChanges([file])
    changes.hurry(0.0)
    changes.wait()
    for number in range(7):
        file.write_text(str(number))
        changes.wait()
    assert slept == [0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.03]
    changes.hurry(0.0)
    changes.wait()
    file.write_text("again")
    changes.wait()
    assert slept[-1] == 0.001
    changes.close()


def test_changes_are_closed_after_the_last_item(file: Path) -> None:
    changes = FileChanges([file])

    def items() -> Iterator[int]:
        changes.hurry(0.0)
        changes.wait()
        yield 1
        yield 2

    assert list(changes.until_closed(items())) == [1, 2]
    abandoned = changes.until_closed(items())
    next(abandoned)
    del abandoned
    # Another wait opens it again.
    assert waits_for(changes, lambda: file.write_text("more"))
    changes.close()


def test_a_commit_of_the_controller_ends_a_wait(home: ControlledHome) -> None:
    home.start(grid({"lr": "1"}, {"lr": "2"}, concurrency=1))
    changes = FileChanges([home.home / "riseml.db-wal"])
    begun = time.monotonic()
    assert waits_for(changes, lambda: home.end(*home.running()))
    assert time.monotonic() - begun < LONG
    changes.close()


def test_looks_become_rarer_while_nothing_changes(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def note(_: object, seconds: float) -> bool:
        waits.append(seconds)
        return False

    monkeypatch.setattr(file_changes, "_SECOND_LOOK_SECONDS", 0.25)
    monkeypatch.setattr(file_changes, "_QUIET_SECONDS", 1.0)
    monkeypatch.setattr(file_changes._Inotify, "is_ready", note)
    changes = FileChanges([file])
    for _ in range(4):
        changes.wait()
    changes.close()
    assert waits == [0.25, 0.5, 1.0, 1.0]
