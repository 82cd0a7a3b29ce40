"""SQLite store of a home."""

import contextlib
import gc
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from riseml.engines.local.interpreter.node import COLUMNS, POD, RUNNING, Node
from riseml.engines.local.store import Store
from riseml.engines.local.tables import SCHEMA
from riseml.errors import HomeError


def add(store: Store, number: int, **columns: Any) -> None:
    defaults = {
        "name": f"run-{number}",
        "user": "me",
        "project": "mnist",
        "is_set": 0,
        "concurrency": 1,
    }
    more = {
        "state": "CREATED",
        "counts": "{}",
        "created": 1.0,
        "document": "{}",
        "environment": "{}",
    }
    with store.transaction():
        store.add_run(number=number, **(defaults | more | columns))


def test_numbers_are_consecutive_and_a_failed_submission_leaves_no_gap(
    tmp_path: Path,
) -> None:
    store = Store.create(tmp_path, COLUMNS)
    with store.transaction():
        assert store.next_number() == 1
    with contextlib.suppress(RuntimeError), store.transaction():
        store.next_number()
        raise RuntimeError
    with store.transaction():
        assert store.next_number() == 2


def test_a_number_is_never_reused(tmp_path: Path) -> None:
    store = Store.create(tmp_path, COLUMNS)
    with store.transaction():
        number = store.next_number()
    add(store, number)
    with store.transaction():
        store.delete_run(number)
        assert store.next_number() == number + 1


def test_nodes_are_read_as_they_were_written(tmp_path: Path) -> None:
    store = Store.create(tmp_path, COLUMNS)
    node = Node(
        id="mnist-1-7",
        name="mnist-1.set",
        type=POD,
        template="train",
        phase=RUNNING,
        started_at=1.5,
        inputs=(("lr", "1e-6"),),
    )
    with store.transaction():
        store.put_nodes(1, [node.to_row()])
    (row,) = Store(tmp_path).nodes(1)
    assert Node.from_row(row).to_row() == node.to_row()


def test_lists_are_newest_first_and_omit_ended_runs(tmp_path: Path) -> None:
    store = Store.create(tmp_path, COLUMNS)
    for number in range(1, 6):
        add(
            store,
            number,
            ended=int(number % 2 == 0),
            project="a" if number < 4 else "b",
        )
    assert [row["number"] for row in store.runs(ended=False)] == [5, 3, 1]
    assert [row["number"] for row in store.runs(ended=True, last=2)] == [5, 4]
    assert [row["number"] for row in store.runs(ended=True, project="a")] == [3, 2, 1]
    assert store.unfinished() == [1, 3, 5]
    assert store.latest() == 5
    assert store.latest("a") == 3
    assert store.latest("c") is None


def test_reading_a_home_without_runs_returns_none_and_creates_no_file(
    tmp_path: Path,
) -> None:
    assert Store(tmp_path).runs(ended=True) == []
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Store.create(tmp_path, COLUMNS).close()
    with pytest.raises(HomeError):
        add(Store(tmp_path), 1)


def test_a_home_of_another_schema_is_refused_by_readers_and_the_writer(
    tmp_path: Path,
) -> None:
    Store.create(tmp_path, COLUMNS).close()
    with sqlite3.connect(tmp_path / "riseml.db") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    for open_store in (Store, lambda home: Store.create(home, COLUMNS)):
        with pytest.raises(HomeError, match="schema") as caught:
            open_store(tmp_path)
        assert "RISEML_HOME" in caught.value.advice


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "riseml.db").write_bytes(
        b"not a database, certainly not one of the right length" * 99
    )
    with pytest.raises(HomeError, match=r"riseml\.db"):
        Store(tmp_path)


def test_a_damaged_row_is_named_with_its_run(tmp_path: Path) -> None:
    store = Store.create(tmp_path, COLUMNS)
    with store.transaction():
        store.put_experiments(3, [(1, '{"state": "FIN')])
    with pytest.raises(HomeError, match="run 3 is damaged") as caught:
        store.experiments(3)
    assert "riseml delete 3" in caught.value.advice


def test_a_full_disk_is_reported_and_nothing_half_written_remains(
    tmp_path: Path,
) -> None:
    store = Store.create(tmp_path, COLUMNS)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(HomeError, match="full") as caught:
        add(store, 1, document="x" * 100_000)
    assert "space" in caught.value.advice
    assert store.runs(ended=True) == []


@pytest.mark.filterwarnings("error")
def test_a_store_that_is_given_up_closes_its_file(tmp_path: Path) -> None:
    store = Store.create(tmp_path, COLUMNS)
    connection = store._db
    del store
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
