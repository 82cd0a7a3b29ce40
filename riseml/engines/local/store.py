"""The home's database: what was submitted, and how far each node has come.

    runs         one row a run: its document as submitted, its state as a whole
    nodes        one row a node of the Workflow, the columns those of `nodes.Node`
    experiments  one row an experiment: `status.ExperimentStatus` as last known, so that lists need no nodes

Only the controller writes; commands read. Every change of one moment is one transaction, so a reader never sees half
of it, and cost depends on what changed, not on how long the history is. `synchronous=NORMAL` in WAL mode loses nothing
when a process is killed; after a power cut the last moments may be missing, never torn.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from riseml.engines.local.interpreter.node import COLUMNS, Node, node_id
from riseml.errors import DamagedError, HomeError

SCHEMA = 1
_NODE = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_TABLES = f"""
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, user TEXT NOT NULL, project TEXT NOT NULL,
    is_set INTEGER NOT NULL, concurrency INTEGER NOT NULL, state TEXT NOT NULL, counts TEXT NOT NULL,
    created REAL NOT NULL, started REAL, finished REAL, ended INTEGER NOT NULL DEFAULT 0,
    killed TEXT NOT NULL DEFAULT '', shutdown TEXT NOT NULL DEFAULT '', status TEXT NOT NULL DEFAULT '{{}}',
    document TEXT NOT NULL, environment TEXT NOT NULL);
CREATE INDEX unfinished ON runs (number) WHERE NOT ended;
CREATE TABLE nodes (run INTEGER, {_NODE}, PRIMARY KEY (run, id)) WITHOUT ROWID;
CREATE TABLE experiments (run INTEGER, sub INTEGER, data TEXT NOT NULL, PRIMARY KEY (run, sub)) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('number', 0);
"""  # noqa: S608


class Store:
    """The database of one home; `create` only for the controller."""

    def __init__(self, home: Path, *, create: bool = False) -> None:
        self.path = home / "riseml.db"
        self.exists = create or self.path.exists()
        with self._named("opened"):
            self._db = sqlite3.connect(
                self.path if self.exists else ":memory:",
                isolation_level=None,
                timeout=10,
            )
            self._db.row_factory = sqlite3.Row
            self._prepare(create=create)

    def _prepare(self, *, create: bool) -> None:
        if not self.exists:
            self._db.executescript(_TABLES)
            return
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if create:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            if version == 0:
                self._db.executescript(
                    f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version={SCHEMA};COMMIT;"
                )
                version = SCHEMA
        else:
            self._db.execute("PRAGMA query_only=1")
        if version not in (SCHEMA, 0):
            raise HomeError(
                f"{self.path} is of schema {version}, this riseml writes schema {SCHEMA}",
                "Use the riseml version that made this home, or another home: RISEML_HOME=~/.riseml-new.",
            )

    @contextmanager
    def _named(self, act: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise HomeError(
                f"{self.path} cannot be {act}: {error}", _advice(str(error))
            ) from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def version(self) -> int:
        """Return a number that changes when another process commits: cheap enough to ask ten times a second."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything inside together, or nothing.

        Raises:
            HomeError: the disk is full or the file is damaged; nothing of the transaction is kept.
        """
        with self._named("written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def next_number(self) -> int:
        """Count the next run of this home; inside a transaction, so a failed submission leaves no gap."""
        row = self._db.execute(
            "UPDATE counters SET value = value + 1 WHERE name = 'number' RETURNING value"
        ).fetchone()
        return int(row[0])

    def first(self, name: str) -> bool:
        """Whether something happens for the first time in this home; inside a transaction."""
        return (
            self._db.execute(
                "INSERT OR IGNORE INTO counters VALUES (?, 1)", (name,)
            ).rowcount
            > 0
        )

    def add_run(self, **columns: Any) -> None:
        """Insert one row of `runs`."""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        # The names are this module's own, never a user's.
        insert = f"INSERT INTO runs ({names}) VALUES ({marks})"  # noqa: S608
        self._db.execute(insert, tuple(columns.values()))

    def update_run(self, number: int, **columns: Any) -> None:
        """Change columns of one run."""
        sets = ", ".join(f"{name} = ?" for name in columns)
        update = f"UPDATE runs SET {sets} WHERE number = ?"  # noqa: S608
        self._db.execute(update, (*columns.values(), number))

    def put_nodes(self, number: int, nodes: Iterable[Node]) -> None:
        """Write nodes as they are now."""
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        rows = ((number, *node.to_row()) for node in nodes)
        # Only marks
        self._db.executemany(f"INSERT OR REPLACE INTO nodes VALUES ({marks})", rows)  # noqa: S608

    def put_experiments(self, number: int, rows: Iterable[tuple[int, str]]) -> None:
        """Write experiments: pairs of sub and JSON."""
        self._db.executemany(
            "INSERT OR REPLACE INTO experiments VALUES (?, ?, ?)",
            ((number, *row) for row in rows),
        )

    def delete_run(self, number: int) -> None:
        """Forget a run; its number is not given out again."""
        for table, column in (
            ("nodes", "run"),
            ("experiments", "run"),
            ("runs", "number"),
        ):
            # Our names
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608

    def run(self, number: int) -> sqlite3.Row | None:
        """Return the row of a run."""
        return self._one("SELECT * FROM runs WHERE number = ?", number)

    def named(self, name: str) -> sqlite3.Row | None:
        """Return the row of the run whose Workflow has this name."""
        return self._one("SELECT * FROM runs WHERE name = ?", name)

    def latest(self, project: str | None = None) -> int | None:
        """Return the newest run's number."""
        row = self._one(
            "SELECT max(number) FROM runs WHERE ? IS NULL OR project = ?",
            project,
            project,
        )
        return row[0] if row else None

    def unfinished(self) -> list[int]:
        """Return the numbers of all runs that have not ended, oldest first."""
        return [
            row[0]
            for row in self._all(
                "SELECT number FROM runs WHERE NOT ended ORDER BY number"
            )
        ]

    def runs(
        self, *, ended: bool, project: str | None = None, last: int = 0
    ) -> list[sqlite3.Row]:
        """Return runs, newest first, without their documents; `ended` adds those that have ended."""
        columns = "number, name, user, project, is_set, concurrency, state, counts, created, started, finished"
        where = "TRUE" if ended else "NOT ended"
        return self._all(
            # Our names
            f"SELECT {columns} FROM runs WHERE {where} AND (? IS NULL OR project = ?) "  # noqa: S608
            "ORDER BY number DESC LIMIT ?",
            project,
            project,
            last or -1,
        )

    def nodes(self, number: int) -> list[Node]:
        """Return the nodes of a run as they were written, in the order of their making.

        Raises:
            DamagedError: a row is damaged.
        """
        rows = self._all("SELECT * FROM nodes WHERE run = ? ORDER BY sequence", number)
        try:
            return [Node.from_row(tuple(row)[1:]) for row in rows]
        except (ValueError, TypeError) as error:
            raise self.damaged(number, f"a node ({error})") from error

    def phase(self, number: int, task: str) -> str | None:
        """Return the phase of a task beside a run's experiments; empty where it has none yet, None for no such run."""
        run = self._one("SELECT name FROM runs WHERE number = ?", number)
        if run is None:
            return None
        node = node_id(run["name"], f"{run['name']}.{task}")
        row = self._one(
            "SELECT phase FROM nodes WHERE run = ? AND id = ?", number, node
        )
        return row["phase"] if row else ""

    def experiments(self, number: int) -> list[Any]:
        """Return the experiments of a run in order, as they were written."""
        rows = self._all(
            "SELECT sub, data FROM experiments WHERE run = ? ORDER BY sub", number
        )
        return [
            self.decode(number, row["data"], f"experiment {row['sub']}") for row in rows
        ]

    def decode(self, number: int, text: str, what: str) -> Any:
        """Read a JSON column of a run.

        Raises:
            DamagedError: the text is damaged.
        """
        try:
            return json.loads(text)
        except (ValueError, TypeError) as error:
            raise self.damaged(number, f"{what} ({error})") from error

    def damaged(self, number: int, what: str) -> DamagedError:
        """Say that something of a run cannot be read."""
        return DamagedError(
            f"{self.path}: the record of run {number} is damaged: {what}",
            f"Other runs are not affected; `riseml delete {number}` removes this one.",
        )

    def _one(self, query: str, *values: Any) -> sqlite3.Row | None:
        with self._named("read"):
            row: sqlite3.Row | None = self._db.execute(query, values).fetchone()
            return row

    def _all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._named("read"):
            return self._db.execute(query, values).fetchall()


def _advice(error: str) -> str:
    if "full" in error:
        return "Free some space on that disk; nothing that was recorded before is lost."
    if "malformed" in error or "not a database" in error:
        return "Move the file away to start anew (outputs and logs stay), or restore it from a backup."
    if "unable to open" in error or "readonly" in error:
        return (
            "Make the folder writable for you, or choose another one with RISEML_HOME."
        )
    return "Try again; if it stays so, RISEML_HOME chooses another home."
