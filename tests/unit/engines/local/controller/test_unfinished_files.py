"""Files that killed processes had not finished are found, and no others."""

import os
from pathlib import Path

import pytest

from riseml.engines.local.controller import unfinished_files
from riseml.engines.local.jobs import processes

DEAD, ALIVE = 4_000_001, 4_000_002


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processes, "exists", lambda pid: pid == ALIVE)
    for pid in (DEAD, ALIVE):
        (tmp_path / f"secrets.{pid}-7").touch()
        (tmp_path / f"checkouts/lab/.part-{pid}-7").mkdir(parents=True)
    for name in (
        "secrets",
        "secrets.past",
        "riseml.db",
        ".riseml-riseml.db",
        "checkouts.unused-1",
        "envs/.part-1",
        "envs/.removed-1",
        "envs/0123",
        "checkouts/lab/revision",
    ):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def names(home: Path, *, is_idle: bool) -> set[str]:
    return {
        os.path.relpath(path, home)
        for path in unfinished_files.find(home, is_idle=is_idle)
    }


def test_files_of_processes_that_live_stay(home: Path) -> None:
    assert names(home, is_idle=False) == {
        f"secrets.{DEAD}-7",
        f"checkouts/lab/.part-{DEAD}-7",
        ".riseml-riseml.db",
    }


def test_what_active_runs_may_use_goes_when_none_is_active(home: Path) -> None:
    more = names(home, is_idle=True) - names(home, is_idle=False)
    assert more == {"checkouts.unused-1", "envs/.part-1", "envs/.removed-1"}
