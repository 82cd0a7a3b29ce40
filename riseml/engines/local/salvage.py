"""Runs that have not ended, saved from a damaged database: their jobs may be running."""

from riseml.engines.local import shard_keys, tables
from riseml.engines.local.controller.stored_run import replay, stored_document
from riseml.engines.local.store import Store
from riseml.errors import HomeError

_FAULTS = (HomeError, LookupError, TypeError, ValueError, AttributeError)
_SELECT = f"SELECT {tables.ALL_COLUMNS} FROM runs WHERE number = ?"  # noqa: S608


def save_unfinished(old: Store, new: Store) -> list[int]:
    """Copy the runs that have not ended and can be read in full; return their numbers.

    Raises:
        HomeError: the new database cannot be written.
    """
    saved = []
    for key in _unfinished(old):
        try:
            (row,) = old.rows(_SELECT, key)
            nodes = old.nodes(key)
            replay(old, key, stored_document(old, row))
            rows = old.rows("SELECT sub, data FROM experiments WHERE run = ?", key)
            experiments = [(row["sub"], row["data"]) for row in rows]
        except _FAULTS:
            # Its output is listed even so.
            continue
        with new.transaction():
            new.add_run(**dict(row))
            new.put_nodes(key, nodes)
            new.put_experiments(key, experiments)
        saved.append(shard_keys.number_of(key))
    return sorted(set(saved))


def _unfinished(old: Store) -> list[int]:
    try:
        return old.unfinished_keys()
    except HomeError:
        return []
