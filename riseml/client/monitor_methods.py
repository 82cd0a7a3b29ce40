"""Methods of `riseml.Client` that tell what jobs use."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from riseml.client.context import ClientContext
from riseml.engines.capabilities import Monitors
from riseml.errors import UnsupportedError
from riseml.ids import Id
from riseml.status.select import pick

if TYPE_CHECKING:
    from riseml.engines.views import UsageView
    from riseml.readings import JobUsage


class MonitorMethods:
    """The part of a client whose methods tell what jobs use."""

    _context: ClientContext

    def monitor(
        self, id: str | Id | None = None, *, interval: float = 1.0
    ) -> "Iterator[list[JobUsage]]":
        """Yield what the running jobs of a run, experiment or job use, every `interval` seconds.

        None stands for all your running jobs. The iterator ends when what the id names
        has ended; without an id it never ends.

        Raises:
            NotAllowedError: the jobs belong to another user.
            NotFoundError: nothing has this id.
            UnsupportedError: the engine does not know what jobs use.
        """
        with closing(self.open_usage(id)) as view:
            while True:
                usages = view.read()
                if not usages and id is not None and self._has_ended(id):
                    return
                yield usages
                time.sleep(interval)

    def open_usage(self, id: str | Id | None = None) -> "UsageView":
        """Return a view of what running jobs use, as `monitor` reads it.

        Raises:
            NotAllowedError, NotFoundError, UnsupportedError: as `monitor` does.
        """
        engine = self._context.engine
        if not isinstance(engine, Monitors):
            raise UnsupportedError(
                f"the engine {engine.name} does not know what jobs use"
            )
        if id is None:
            return engine.usage(Id())
        selected = self._context.find_id(id)
        # A wrong id is an error, and not a view without jobs.
        pick(self._context.read(selected), selected)
        return engine.usage(selected)

    def _has_ended(self, id: str | Id) -> bool:
        selected = self._context.find_id(id)
        return pick(self._context.read(selected), selected).state.is_terminal
