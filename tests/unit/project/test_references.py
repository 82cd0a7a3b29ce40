"""Revisions that runs of a home refer to, read from the database of the local engine."""

import json
import sqlite3
from pathlib import Path

import pytest

from riseml import labels
from riseml.engines.local import tables
from riseml.engines.local.interpreter.node import COLUMNS
from riseml.engines.local.store import Store
from riseml.errors import HomeError
from riseml.project import references


def add_run(home: Path, number: int, revision: str | None) -> None:
    annotations = {} if revision is None else {labels.REVISION: revision}
    database = Store.create(home, COLUMNS)
    with database.transaction():
        database.add_run(
            number=number,
            name=f"mnist-{number}",
            user="me",
            project="mnist",
            is_set=0,
            concurrency=1,
            state="FINISHED",
            counts="{}",
            created=1.0,
            ended=1,
            document=json.dumps({"metadata": {"annotations": annotations}}),
            environment="{}",
        )
    database.close()


def test_revisions_of_all_runs_are_returned_once(tmp_path: Path) -> None:
    for number, revision in enumerate(["a" * 40, None, "b" * 40, "a" * 40, ""], 1):
        add_run(tmp_path, number, revision)
    assert references.revisions(tmp_path) == {"a" * 40, "b" * 40}


def test_a_home_without_a_database_has_no_revisions(tmp_path: Path) -> None:
    assert references.revisions(tmp_path) == set()
    assert not (tmp_path / references.DATABASE).exists()


def test_a_database_without_tables_has_no_revisions(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / references.DATABASE).close()
    (tmp_path / references.DATABASE).touch()
    assert references.revisions(tmp_path) == set()


def test_a_lost_database_removes_no_code(tmp_path: Path) -> None:
    (tmp_path / "output/me/lab/1").mkdir(parents=True)
    (tmp_path / "output/me/lab/1/run.json").touch()
    with pytest.raises(HomeError, match="is lost") as caught:
        references.revisions(tmp_path)
    assert "riseml doctor --repair" in caught.value.advice


def test_the_schema_is_that_of_the_local_engine(tmp_path: Path) -> None:
    assert references.SCHEMA == tables.SCHEMA
    assert Store.create(tmp_path, COLUMNS).path == tmp_path / references.DATABASE


def test_a_database_of_another_schema_is_refused(tmp_path: Path) -> None:
    add_run(tmp_path, 1, "a" * 40)
    database = sqlite3.connect(tmp_path / references.DATABASE)
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(HomeError, match="has schema 99"):
        references.revisions(tmp_path)


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / references.DATABASE).write_bytes(b"not a database" * 100)
    with pytest.raises(HomeError, match="cannot read which code runs need"):
        references.revisions(tmp_path)
