"""SQLite store of a home: the runs that were submitted, and how far each node has come.

    runs         one row per Workflow: its document as submitted, its state, and at the end its full status
    nodes        one row per node of a Workflow; the interpreter defines the columns
    experiments  one row per experiment: its status without jobs, so that lists need no nodes

A run is the row of its first Workflow; further ones have the keys of `shard_keys.py`.

Only the controller writes; commands read. All changes of one event are one transaction,
so a reader never sees half of them, and the cost depends on what changed, not on the
length of the history. `synchronous=NORMAL` in WAL mode loses nothing when a process is
killed. After a power cut the last changes may be missing, but never torn.
"""

import itertools
import json
import os
import sqlite3

# `threading` has the same lock, and takes 1 ms to load.
from _thread import RLock
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from riseml.engines.local import database_faults, tables
from riseml.engines.local.database_file import (
    connect,
    connect_to_read,
    connect_to_write,
    empty_log,
    execute_and_erase,
    file_id,
)
from riseml.engines.local.queries import NodeRow, Queries
from riseml.errors import DamagedDatabaseError, HomeError

# Each table with the column that holds the number of the run.
_TABLES_OF_RUN = (
    ("nodes", "run"),
    ("experiments", "run"),
    ("marks", "run"),
    ("runs", "number"),
)

# SQLite's own locks do not survive a fork that happens while a thread holds them.
# Therefore threads use SQLite one after the other, and a fork waits for them.
_LOCK = RLock()
os.register_at_fork(
    before=_LOCK.acquire,
    after_in_parent=_LOCK.release,
    after_in_child=_LOCK.release,
)
_CONNECTIONS = itertools.count()


class Store(Queries):
    """The database of one home; read-only, unless `create` opened it.

    It `exists` if its file has tables, otherwise it is empty. Threads may share it. After
    a fork, the child opens another one: `is_inherited`. With `is_copy` it never changes,
    since the file cannot be shared.
    """

    def __init__(
        self, home: Path, node_columns: Mapping[str, str] | None = None
    ) -> None:
        self.path = home / database_faults.NAME
        self._process = os.getpid()
        self._connection = next(_CONNECTIONS)
        self.is_copy = False
        database_faults.check(self.path)
        with self._naming_errors("opened"):
            if node_columns is None:
                self._open_to_read()
            else:
                self._db = connect_to_write(self.path)
                if self._schema() == 0:
                    self._db.executescript(tables.script(node_columns))
                self._db.execute(tables.MARKS)
            schema = self._schema()
        self._check_schema(schema)
        self.exists = schema != 0
        self._file = file_id(self.path)

    @classmethod
    def create(cls, home: Path, node_columns: Mapping[str, str]) -> "Store":
        """Open a home's database to write, and create it if there is none.

        `node_columns` are the names and SQLite types of a node's columns, in order.

        Raises:
            HomeError: the database cannot be used.
        """
        return cls(home, node_columns)

    def _open_to_read(self) -> None:
        if self.path.exists():
            self._db, self.is_copy = connect_to_read(self.path)
            self._db.execute("PRAGMA query_only=1")
            if self._schema() != 0:
                return
            # A controller may have created the file, and not yet its tables.
            self._db.close()
        self._db = connect(":memory:")
        self._db.executescript(tables.TABLES)

    def _schema(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _check_schema(self, schema: int) -> None:
        if schema not in (tables.SCHEMA, 0):
            raise HomeError(
                f"{self.path} has schema {schema}, but this riseml uses schema {tables.SCHEMA}",
                "Use the riseml version that made this home, or another home: RISEML_HOME=~/.riseml-new.",
            )

    @contextmanager
    def _naming_errors(self, act: str) -> Iterator[None]:
        """Raise SQLite's errors as errors of the home, with advice; exclude other threads."""
        try:
            with _LOCK:
                yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # Python also decodes names of columns, which may be damaged.
            raise database_faults.explain(self.path, act, error) from error

    @property
    def is_inherited(self) -> bool:
        """Whether a fork has copied it: file locks stay with the parent process."""
        return self._process != os.getpid()

    def close(self) -> None:
        """Close the file."""
        with _LOCK:
            self._db.close()

    def __del__(self) -> None:
        # Commands leave their database to the end of the process, which Python reports
        # as a leak from 3.13 on. The lock is not needed, since nothing else can use it,
        # and may never become free: a daemon thread stops wherever it is at that end.
        with suppress(AttributeError):
            self._db.close()

    def is_replaced(self) -> bool:
        """Return whether another file has taken the place of the one that was opened."""
        current = file_id(self.path)
        return current is not None and current != self._file

    def is_in_place(self) -> bool:
        """Return whether the file that was opened is still at its path."""
        return file_id(self.path) == self._file

    def reopen(self) -> None:
        """Open the file that is at the path now, to write."""
        with self._naming_errors("opened"):
            # SQLite removes no side files of a file that is not at its path any more.
            self._db.close()
            self._db = connect(self.path)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(tables.MARKS)
        self._connection = next(_CONNECTIONS)
        self._file = file_id(self.path)

    def copy_to(self, path: Path) -> None:
        """Replace another database by a copy, even if this file has been deleted.

        Raises:
            HomeError: it cannot be read, or the other one cannot be written.
        """
        with self._naming_errors("copied"), closing(connect(path)) as target:
            self._db.backup(target)

    def version(self) -> tuple[int, int]:
        """Return a value that changes when another process commits.

        It is cheap enough to call many times a second. Values of two connections differ.
        """
        row = self.one("PRAGMA data_version")
        return self._connection, int(row[0]) if row else 0

    # Write

    def empty_log(self) -> bool:
        """Erase what was changed or deleted from the log; see `database_file`."""
        return empty_log(self._db)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside together, or nothing.

        Raises:
            HomeError: the disk is full or the file is damaged; nothing is changed.
        """
        with self._naming_errors("written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def next_number(self) -> int:
        """Return the number of a new run.

        Inside a transaction, so that a failed submission leaves no gap.
        """
        update = "UPDATE counters SET value = value + 1 WHERE name = 'number' RETURNING value"
        row = self._db.execute(update).fetchone()
        if row is None:
            raise DamagedDatabaseError(
                f"the database {self.path} is damaged: it has lost its counter of runs",
                database_faults.REPAIR,
            )
        return int(row[0])

    def set_number(self, number: int) -> None:
        """Make a number the last one that was assigned; inside a transaction."""
        insert = "INSERT OR REPLACE INTO counters VALUES ('number', ?)"
        self._db.execute(insert, (number,))

    def first(self, name: str) -> bool:
        """Return whether this home sees a name for the first time; inside a transaction."""
        insert = "INSERT OR IGNORE INTO counters VALUES (?, 1)"
        return self._db.execute(insert, (name,)).rowcount > 0

    def add_run(self, **columns: Any) -> None:
        """Insert one row of `runs`."""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        # The names come from this package, never from a user.
        insert = f"INSERT INTO runs ({names}) VALUES ({marks})"  # noqa: S608
        self._db.execute(insert, tuple(columns.values()))

    def update_run(self, number: int, **columns: Any) -> None:
        """Change columns of one run."""
        assignments = ", ".join(f"{name} = ?" for name in columns)
        # The names come from this package, never from a user.
        update = f"UPDATE runs SET {assignments} WHERE number = ?"  # noqa: S608
        # The environment may contain secrets, and is removed at the end of a run.
        erases = "environment" in columns
        execute = execute_and_erase if erases else sqlite3.Connection.execute
        execute(self._db, update, (*columns.values(), number))

    def put_status(self, number: int, parts: Callable[[], Iterable[str]]) -> None:
        """Write the final status of one run, whose text in ASCII `parts` yields each time.

        The status of 10,000 experiments has 9 MB. Writing it as one text needs 37 MB: for its
        parts, the text, and two copies of SQLite. This needs 2 MB.
        """
        length = sum(map(len, parts()))
        update = "UPDATE runs SET status = zeroblob(?) WHERE number = ?"
        self._db.execute(update, (length, number))
        with self._db.blobopen("runs", "status", number) as column:
            for part in parts():
                column.write(part.encode("ascii"))

    def put_nodes(self, number: int, rows: Iterable[NodeRow]) -> None:
        """Insert or replace nodes of a run."""
        numbered = [(number, *row) for row in rows]
        if not numbered:
            return
        marks = ", ".join("?" * len(numbered[0]))
        insert = f"INSERT OR REPLACE INTO nodes VALUES ({marks})"  # noqa: S608
        self._db.executemany(insert, numbered)

    def put_experiments(self, number: int, rows: Iterable[tuple[int, str]]) -> None:
        """Insert or replace experiments of a run, each as its sub and its JSON."""
        self._db.executemany(
            "INSERT OR REPLACE INTO experiments VALUES (?, ?, ?)",
            ((number, sub, data) for sub, data in rows),
        )

    def put_marks(self, number: int, data: Mapping[str, Any]) -> None:
        """Insert or replace the marks of a run, as JSON data."""
        insert = "INSERT OR REPLACE INTO marks VALUES (?, ?)"
        self._db.execute(insert, (number, json.dumps(data)))

    def delete_run(self, number: int) -> None:
        """Delete a run with all its Workflows; its number is not assigned again."""
        for key in (number, *self.shards(number)):
            self.delete_workflow(key)

    def delete_workflow(self, key: int) -> None:
        """Delete one Workflow of a run."""
        for table, column in _TABLES_OF_RUN:
            delete = f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608
            self._db.execute(delete, (key,))

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return the rows that a query selects."""
        with self._naming_errors("read"):
            return self._db.execute(query, values).fetchall()
