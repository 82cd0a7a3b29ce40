"""Reads of a home's database where no file can be written beside it."""

import os
import shutil
from pathlib import Path

import pytest

from riseml.engines.local.database_file import in_memory
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.store import Store
from riseml.errors import DiskFullError
from tests.full_disks import no_space
from tests.local.test_store import add


def test_a_database_without_a_log_is_read_on_a_full_disk(tmp_path: Path) -> None:
    store = Store.create(tmp_path, COLUMNS)
    add(store, 1)
    store.close()
    with no_space():
        reader = Store(tmp_path)
        assert reader.is_copy
        assert [row["number"] for row in reader.runs(ended=False)] == [1]


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Return a home whose only change is in the log of its database."""
    original, home = tmp_path / "original", tmp_path / "home"
    original.mkdir()
    home.mkdir()
    store = Store.create(original, COLUMNS)
    add(store, 1)
    # A process that is killed leaves both files.
    for name in ("riseml.db", "riseml.db-wal"):
        shutil.copyfile(original / name, home / name)
    store.close()
    return home


def test_changes_in_the_log_are_read_on_a_full_disk(killed: Path) -> None:
    with no_space():
        assert Store(killed).unfinished() == [1]


def test_changes_in_the_log_are_read_in_a_read_only_home(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Permissions do not stop root.
    monkeypatch.setattr(os, "access", lambda *_: False)
    files = sorted(killed.iterdir())
    rows = in_memory(killed / "riseml.db").execute("SELECT number FROM runs")
    assert [row["number"] for row in rows] == [1]
    assert sorted(killed.iterdir()) == files


def test_a_later_copy_has_another_version(tmp_path: Path) -> None:
    Store.create(tmp_path, COLUMNS).close()
    # Whoever follows a run reads it again when the version changes.
    with no_space():
        assert Store(tmp_path).version() != Store(tmp_path).version()


def test_the_error_of_a_full_disk_names_it(tmp_path: Path) -> None:
    store = Store.create(tmp_path, COLUMNS)
    with no_space(), pytest.raises(DiskFullError) as raised:
        add(store, 1, document="x" * 100_000)
    assert f"{tmp_path}/riseml.db cannot be written: the disk of /" in str(raised.value)
    assert "`riseml prune --older-than 7d`" in raised.value.advice
    assert store.unfinished() == []
    add(store, 1)
    assert store.unfinished() == [1]
