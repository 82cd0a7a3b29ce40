"""Runs that have not ended, saved from a damaged database: their jobs may be running."""

from riseml.engines.local import tables
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
    for number in _unfinished(old):
        try:
            (row,) = old.rows(_SELECT, number)
            nodes = old.nodes(number)
            replay(old, number, stored_document(old, row))
            rows = old.rows("SELECT sub, data FROM experiments WHERE run = ?", number)
            experiments = [(row["sub"], row["data"]) for row in rows]
        except _FAULTS:
            # Its output is listed even so.
            continue
        with new.transaction():
            new.add_run(**dict(row))
            new.put_nodes(number, nodes)
            new.put_experiments(number, experiments)
        saved.append(number)
    return saved


def _unfinished(old: Store) -> list[int]:
    try:
        return old.unfinished()
    except HomeError:
        return []
