"""Numbers of new runs: never one whose output exists, even if the database knows nothing of it."""

from riseml.engines.local import outputs
from riseml.engines.local.controller.log import logger
from riseml.engines.local.controller.services import Services


def assign(services: Services) -> int:
    """Return the number of a new run; inside a transaction of the database."""
    home, store = services.layout.home, services.store
    number = store.next_number()
    is_taken = outputs.exists(home, number) or services.layout.run(number).exists()
    if not is_taken:
        return number
    # The database is older than the outputs: it was lost, or restored from a backup.
    free = max(number, outputs.highest_number(home)) + 1
    logger.warning("number %d has output already: the next run is %d", number, free)
    store.set_number(free)
    return free
