"""Revisions that runs of this machine refer to, read from the database of a home.

The repositories of a home serve every engine, so whoever prunes one has to know these.
The local engine writes the database (`engines/local/store.py`).
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from riseml import labels
from riseml.errors import HomeError

DATABASE = "riseml.db"
# Another schema may keep revisions elsewhere, so nothing may be concluded from it.
SCHEMA = 1
# A record that was rebuilt names the Workflows of its run only in its status.
# The status of an ended run is much shorter than its document, and has the same revision.
_QUERY = """
WITH kept AS (
    SELECT document, CASE WHEN json_valid(status) THEN status ELSE '{}' END AS status FROM runs
    WHERE CASE WHEN number > 0 THEN number ELSE -number / 1048576 END
    NOT IN (SELECT value FROM json_each(?)))
SELECT DISTINCT coalesce(json_extract(status, '$.revision'), json_extract(document, ?)) FROM kept UNION
SELECT json_extract(shard.value, '$.revision') FROM kept, json_each(status, '$.shards') AS shard"""
_REVISION = f'$.metadata.annotations."{labels.REVISION}"'
_TIMEOUT_SECONDS = 10


def revisions(home: Path, without: Iterable[int] = ()) -> set[str]:
    """Return the revisions of the code of all runs in a home's database.

    Runs whose numbers are in `without` are left out. The result is empty if the home has no database.

    Raises:
        HomeError: the database cannot be read, so no revision may be removed.
    """
    path = home / DATABASE
    if not path.exists():
        return _none(home)
    try:
        with closing(sqlite3.connect(path, timeout=_TIMEOUT_SECONDS)) as database:
            database.execute("PRAGMA query_only=1")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                # The controller has created the file, but not its tables.
                return _none(home)
            if version != SCHEMA:
                raise HomeError(
                    f"{path} has schema {version}, but this riseml reads schema {SCHEMA}",
                    "No code was removed. Use the riseml version that made this home.",
                )
            values = json.dumps(sorted(without)), _REVISION
            rows = database.execute(_QUERY, values).fetchall()
    except sqlite3.Error as error:
        raise HomeError(
            f"cannot read which code runs need from {path}: {error}",
            "No code was removed. `riseml doctor` examines the file, and `riseml doctor --repair` repairs it.",
        ) from error
    # A Workflow that was submitted as it is has no code.
    return {revision for (revision,) in rows if revision}


def _none(home: Path) -> set[str]:
    """Return no revisions, unless the output of runs shows that the database is lost."""
    if any((home / "output").glob("*/*/*/run.json")):
        raise HomeError(
            f"the database {home / DATABASE} is lost, so it is not known which code runs need",
            "No code was removed. `riseml doctor --repair` rebuilds the list of runs.",
        )
    return set()
