"""Removal of folders beside the controller."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from riseml.engines.local.controller import loop


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_folders_of_the_same_half_second_are_removed_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    spawn = subprocess.Popen

    def record(words: list[str], **options: Any) -> Any:
        started.append(words)
        return spawn(words, **options)

    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(subprocess, "Popen", record)
    folders = [tmp_path / str(number) for number in range(20)]
    for folder in folders:
        (folder / "lib").mkdir(parents=True)
    events = loop.EventLoop()
    remover = loop.FolderRemover(events)
    for folder in folders:
        remover.discard([folder])
        events.run_once(clock.now)
    while remover.is_busy():
        pass
    clock.now += 0.6
    events.run_once(clock.now)
    while remover.is_busy():
        pass
    first, *others = map(str, folders)
    assert started == [["rm", "-rf", "--", first], ["rm", "-rf", "--", *others]]
    assert not any(tmp_path.iterdir())


def removal_after(
    command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[loop.EventLoop, list[list[str]]]:
    """Let `command` end instead of the first removal; return the loop half a second later."""
    started: list[list[str]] = []
    spawned: list[Any] = []
    spawn = subprocess.Popen

    def record(words: list[str], **options: Any) -> Any:
        started.append(words)
        spawned.append(spawn(words if spawned else command, **options))
        return spawned[-1]

    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(subprocess, "Popen", record)
    folder.mkdir()
    events = loop.EventLoop()
    loop.FolderRemover(events).discard([folder])
    spawned[0].wait()
    clock.now += 0.6
    events.run_once(clock.now)
    for process in spawned:
        process.wait()
    return events, started


def test_the_controller_sleeps_after_the_last_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, started = removal_after(["true"], tmp_path / "run", monkeypatch)
    assert len(started) == 1
    assert not events._timers


def test_a_removal_that_fails_is_continued_without_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, started = removal_after(["false"], tmp_path / "run", monkeypatch)
    assert [words[0] for words in started] == ["rm", "/bin/sh"]
    assert not any(tmp_path.iterdir())


def test_a_process_that_is_gone_is_noticed_at_once() -> None:
    noted: list[str] = []
    events = loop.EventLoop()
    events.poll(lambda: False, lambda: noted.append("gone"))
    events.run_once(0.0)
    assert noted == ["gone"]
