"""Queries of a home's database, which `store.py` opens."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from riseml.engines.local import shard_keys, tables
from riseml.errors import DamagedError, HomeError

_NO_STATUS = "{}"
# `Store.put_status` writes bytes.
_STATUS = "CAST(status AS TEXT)"
# A submission that is sent again was recorded shortly before, if at all.
_RECENT_RUNS = 100

NodeRow = tuple[str | int | float | None, ...]


class Queries:
    """What can be read of a database; a subclass executes the queries."""

    path: Path

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return the rows that a query selects."""
        raise NotImplementedError

    def one(self, query: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row that a query selects, None if there is none."""
        return next(iter(self.rows(query, *values)), None)

    def run(self, number: int) -> sqlite3.Row | None:
        """Return the row of a run, without its final status."""
        columns = f"{tables.SUMMARY_COLUMNS}, killed, shutdown, document, environment"
        return self.one(f"SELECT {columns} FROM runs WHERE number = ?", number)  # noqa: S608

    def annotation(self, number: int, name: str) -> str | None:
        """Return an annotation of a run's document, None if there is none."""
        select = (
            "SELECT CASE WHEN json_valid(document) THEN json_extract(document, ?) END"
            " AS value FROM runs WHERE number = ?"
        )
        row = self.one(select, f'$.metadata.annotations."{name}"', number)
        return row["value"] if row else None

    def summary(self, number: int) -> sqlite3.Row | None:
        """Return the columns of a run that lists show."""
        select = f"SELECT {tables.SUMMARY} FROM runs WHERE number = ?"  # noqa: S608
        return self.one(select, number)

    def shards(self, number: int) -> list[int]:
        """Return the keys of a run's further Workflows, in their order."""
        select = (
            "SELECT number FROM runs WHERE number > ? AND number < ?"
            " ORDER BY number DESC"
        )
        rows = self.rows(select, *shard_keys.bounds(number))
        return [row["number"] for row in rows]

    def with_uid(self, uid: str) -> sqlite3.Row | None:
        """Return number and name of a recent Workflow whose document has this uid."""
        recent = f"SELECT * FROM runs ORDER BY created DESC LIMIT {_RECENT_RUNS}"  # noqa: S608
        select = (
            f"SELECT number, name FROM ({recent})"  # noqa: S608
            " WHERE json_extract(document, '$.metadata.uid') = ?"
        )
        return self.one(select, uid)

    def named(self, name: str) -> sqlite3.Row | None:
        """Return the number of the run whose Workflow has this name."""
        return self.one("SELECT number FROM runs WHERE name = ?", name)

    def final_status(self, number: int) -> Any:
        """Return the status of an ended run as data; None if there is none.

        Raises:
            DamagedError: the text is damaged.
        """
        select = f"SELECT {_STATUS} AS status FROM runs WHERE number = ? AND ended"  # noqa: S608
        return self._decoded_status(number, self.one(select, number))

    def _decoded_status(self, number: int, row: sqlite3.Row | None) -> Any:
        if row is None or row["status"] == _NO_STATUS:
            return None
        return self.decode(number, row["status"], "the status")

    def final_outline(self, number: int) -> Any:
        """Return the status of an ended run as data, without experiments; None if there is none.

        Raises:
            DamagedError: the text is damaged.
        """
        select = (
            f"SELECT json_replace({_STATUS}, '$.experiments', json('[]')) AS status"  # noqa: S608
            " FROM runs WHERE number = ? AND ended"
        )
        try:
            row = self.one(select, number)
        except HomeError:
            # SQLite reads neither damaged JSON nor NaN. To ask it first takes 8 ms for 2 MB.
            return self.final_status(number)
        return self._decoded_status(number, row)

    def final_experiment(self, number: int, position: int) -> Any:
        """Return an experiment in the final status of a run as data; None if there is none.

        `position` counts from 0, in the order of the record.

        Raises:
            DamagedError: the text is damaged.
        """
        select = f"SELECT json_extract({_STATUS}, ?) AS data FROM runs WHERE number = ?"  # noqa: S608
        row = self.one(select, f"$.experiments[{position}]", number)
        text = row["data"] if row else None
        return self.decode(number, text or "null", f"experiment {position}")

    def last_recorded_shard(self, number: int) -> int:
        """Return the index of the last Workflow that the final status of a run names."""
        select = (
            f"SELECT CASE WHEN json_valid({_STATUS})"  # noqa: S608
            f" THEN json_extract({_STATUS}, '$.shards[#-1].index') END AS shard"
            " FROM runs WHERE number = ?"
        )
        row = self.one(select, number)
        return (row["shard"] if row else None) or 1

    def latest(self, project: str | None = None) -> int | None:
        """Return the number of the newest run."""
        select = "SELECT max(number) FROM runs WHERE ? IS NULL OR project = ?"
        row = self.one(select, project, project)
        return row[0] if row else None

    def unfinished(self) -> list[int]:
        """Return the numbers of all runs that have not ended, oldest first."""
        return sorted(set(map(shard_keys.number_of, self.unfinished_keys())))

    def unfinished_keys(self) -> list[int]:
        """Return the keys of all Workflows that have not ended, in the order of runs."""
        rows = self.rows("SELECT number FROM runs WHERE NOT ended")
        keys = [row["number"] for row in rows]
        return sorted(keys, key=lambda key: (shard_keys.number_of(key), -key))

    def runs(
        self, *, ended: bool, project: str | None = None, last: int = 0
    ) -> list[sqlite3.Row]:
        """Return runs without their documents, newest first.

        `ended` includes runs that have ended; `last` limits their number, 0 does not.
        """
        condition = "number > 0"
        if not ended:
            # These numbers come from the database itself.
            numbers = ", ".join(map(str, self.unfinished()))
            condition = f"number IN ({numbers})"
        select = (
            f"SELECT {tables.SUMMARY} FROM runs WHERE {condition}"  # noqa: S608
            " AND (? IS NULL OR project = ?) ORDER BY number DESC LIMIT ?"
        )
        return self.rows(select, project, project, last or -1)

    def nodes(self, number: int, ids: Sequence[str] | None = None) -> list[NodeRow]:
        """Return the nodes of a run as they were written, in the order of creation.

        With `ids`, only these.
        """
        select = (
            "SELECT * FROM nodes WHERE run = ?"
            " AND (? IS NULL OR id IN (SELECT value FROM json_each(?)))"
            " ORDER BY sequence"
        )
        selected = None if ids is None else json.dumps(ids)
        rows = self.rows(select, number, selected, selected)
        return [tuple(row)[1:] for row in rows]

    def node_names(self, number: int) -> list[tuple[str, str]]:
        """Return the ids and names of the nodes of a run."""
        rows = self.rows("SELECT id, name FROM nodes WHERE run = ?", number)
        return list(map(tuple, rows))

    def node_phase(self, number: int, node: str) -> str:
        """Return the phase of a run's node; empty if it does not exist yet."""
        select = "SELECT phase FROM nodes WHERE run = ? AND id = ?"
        row = self.one(select, number, node)
        return row["phase"] if row else ""

    def experiments(self, number: int) -> list[Any]:
        """Return the experiments of a run in order, as they were written.

        Raises:
            DamagedError: the text of one is damaged.
        """
        select = "SELECT sub, data FROM experiments WHERE run = ? ORDER BY sub"
        rows = self.rows(select, number)
        # One text is decoded in a third of the time of 2,000.
        try:
            texts = ",".join([text for _, text in rows])
            experiments: list[Any] = json.loads(f"[{texts}]")
        except (ValueError, TypeError):
            experiments = []
        if len(experiments) == len(rows):
            return experiments
        return [self.decode(number, text, f"experiment {sub}") for sub, text in rows]

    def experiment(self, number: int, sub: int) -> Any:
        """Return one experiment of a run as it was written, None if it is not there.

        Raises:
            DamagedError: its text is damaged.
        """
        select = "SELECT data FROM experiments WHERE run = ? AND sub = ?"
        row = self.one(select, number, sub)
        if row is None:
            return None
        return self.decode(number, row["data"], f"experiment {sub}")

    def decode(self, number: int, text: str, subject: str) -> Any:
        """Return the value of a JSON column of a run; `subject` names it in the error.

        Raises:
            DamagedError: the text is damaged.
        """
        try:
            return json.loads(text)
        except (ValueError, TypeError) as error:
            raise self.damaged(number, f"{subject} ({error})") from error

    def damaged(self, number: int, detail: str) -> DamagedError:
        """Return the error that the record of a run cannot be read."""
        return DamagedError(
            f"{self.path}: the record of run {number} is damaged: {detail}",
            f"Other runs are not affected; `riseml delete {number}` removes this one.",
        )

    def last_number(self) -> int:
        """Return the last number that was assigned, 0 if none was."""
        row = self.one("SELECT value FROM counters WHERE name = 'number'")
        return row["value"] if row else 0

    def numbers(self) -> set[int]:
        """Return the numbers of all runs."""
        rows = self.rows("SELECT number FROM runs WHERE number > 0")
        return {row["number"] for row in rows}
