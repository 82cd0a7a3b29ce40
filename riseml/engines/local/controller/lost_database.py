"""Database that was lost: the controller that makes a new one lists the ended runs again."""

from pathlib import Path

from riseml.engines.local import rebuild
from riseml.engines.local.controller.log import logger
from riseml.engines.local.store import Store
from riseml.errors import HomeError


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
