"""Tables of a home's database; the interpreter defines the columns of `nodes`.

The column `status` is the last one of a run, where SQLite makes room for a large value
without holding it in memory. Homes of earlier versions have it before `document`.
"""

from collections.abc import Mapping

SCHEMA = 1
TABLES = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, user TEXT NOT NULL, project TEXT NOT NULL,
    is_set INTEGER NOT NULL, concurrency INTEGER NOT NULL, state TEXT NOT NULL, counts TEXT NOT NULL,
    created REAL NOT NULL, started REAL, finished REAL, ended INTEGER NOT NULL DEFAULT 0,
    killed TEXT NOT NULL DEFAULT '', shutdown TEXT NOT NULL DEFAULT '',
    document TEXT NOT NULL, environment TEXT NOT NULL, status TEXT NOT NULL DEFAULT '{}');
CREATE INDEX unfinished ON runs (number) WHERE NOT ended;
CREATE TABLE experiments (run INTEGER, sub INTEGER, data TEXT NOT NULL, PRIMARY KEY (run, sub)) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('number', 0);
"""
SUMMARY_COLUMNS = "number, name, user, project, is_set, concurrency, state, counts, created, started, finished, ended"
# A run has ended when its last Workflow has; see `shard_keys.py`.
_HAS_ENDED = """ended AND NOT EXISTS (
    SELECT 1 FROM runs AS shard WHERE NOT shard.ended
    AND shard.number BETWEEN -(runs.number + 1) * 1048576 AND -runs.number * 1048576)"""
SUMMARY = f"{SUMMARY_COLUMNS.removesuffix(', ended')}, {_HAS_ENDED} AS ended"
# Homes of earlier versions lack this table.
MARKS = "CREATE TABLE IF NOT EXISTS marks (run INTEGER PRIMARY KEY, data TEXT NOT NULL)"
ALL_COLUMNS = f"{SUMMARY_COLUMNS}, killed, shutdown, status, document, environment"


def script(node_columns: Mapping[str, str]) -> str:
    """Return the SQL that creates all tables, together or not at all.

    `node_columns` are the names and SQLite types of a node's columns, in order.
    """
    columns = ", ".join(f"{name} {type_}" for name, type_ in node_columns.items())
    nodes = (
        f"CREATE TABLE nodes (run INTEGER, {columns}, PRIMARY KEY (run, id))"
        " WITHOUT ROWID;"
    )
    return f"BEGIN IMMEDIATE;{TABLES}{nodes}PRAGMA user_version={SCHEMA};COMMIT;"
