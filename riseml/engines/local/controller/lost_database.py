"""Database that was lost, or that lacks its newest changes: run.json files make up for them."""

from pathlib import Path

from riseml.engines.local import rebuild, shard_keys
from riseml.engines.local.controller.log import logger
from riseml.engines.local.home import output_folder, run_folder
from riseml.engines.local.store import Store
from riseml.errors import HomeError, RiseMLError


def rebuild_new(store: Store, home: Path) -> None:
    """List the runs whose outputs a home has, if its database has never had a run."""
    if store.last_number() or not rebuild.unlisted(home, ()):
        return
    try:
        restored = rebuild.restore(store, home)
    except (HomeError, OSError):
        # New runs get numbers without output even so, and a repair can be made later.
        logger.exception("the runs of the lost database cannot be listed")
        return
    count = len(restored.complete) + len(restored.incomplete)
    if count:
        logger.warning("the database was lost: %d runs are listed again", count)


def end_ended(store: Store, home: Path) -> None:
    """Record the ends of runs that have ended according to their run.json.

    The folder of a run's processes is removed after the end is recorded. If it is gone
    and the end is not recorded, the newest changes of the database were lost: without
    its file riseml.db-wal, or with an older copy. Jobs must not run a second time.
    """
    for key in store.unfinished_keys():
        row = store.summary(key)
        if row is None or run_folder(home, key).exists():
            continue
        number = shard_keys.number_of(key)
        folder = output_folder(home).joinpath(row["user"], row["project"], str(number))
        try:
            run = rebuild.read(folder)
        except RiseMLError:
            continue
        if row["name"] not in [shard.name for shard in run.workflows]:
            continue
        logger.warning("run %d: ended as %s, which was not recorded", number, run.state)
        with store.transaction():
            store.delete_run(number)
            rebuild.add(store, run)
