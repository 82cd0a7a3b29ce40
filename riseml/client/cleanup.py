"""The verbs of `riseml.Client` that make room: what has ended, and what nobody uses any more, is forgotten."""

import time
from datetime import UTC, datetime, timedelta

from riseml import ids
from riseml.client.context import Verbs
from riseml.engines import Query
from riseml.errors import InvalidInputError, RiseMLError
from riseml.ids import Id
from riseml.status import SetStatus


class TidyVerbs(Verbs):
    """What a client can do to forget."""

    def delete(self, *names: str | Id) -> list[str]:
        """Forget ended runs with their logs and output; return their ids.

        Raises:
            InvalidInputError: an id is not a whole run's; nothing was deleted.
            NotFoundError: an id is unknown; nothing was deleted.
            RiseMLError: a run has not ended; nothing was deleted.
        """
        found = self.deletable(*names)
        for run in found:
            self.engine.delete(ids.parse(run.id))
        return [run.id for run in found]

    def deletable(self, *names: str | Id) -> list[SetStatus]:
        """Return the runs that `delete` would forget.

        Raises:
            InvalidInputError: an id is not a whole run's.
            NotFoundError: an id is unknown.
            RiseMLError: a run has not ended.
        """
        found = [self.engine.read(self._whole(name)) for name in dict.fromkeys(names)]
        for run in found:
            if not run.state.is_terminal:
                raise RiseMLError(
                    f"{run.id} has not ended (it is {run.state})",
                    f"`riseml kill {run.id}` ends it.",
                )
        return found

    def prune(self, older_than: timedelta, *, dry_run: bool = False) -> list[SetStatus]:
        """Delete the runs that ended longer ago than `older_than`, oldest first; return them.

        With `dry_run` nothing is deleted.
        """
        limit = datetime.now(UTC) - older_than
        old = [
            run
            for run in self.engine.list(Query(all=True))
            if run.state.is_terminal and (_ended(run) or limit) < limit
        ]
        old.reverse()
        for run in old if not dry_run else ():
            self.engine.delete(ids.parse(run.id))
        return old

    def prune_unused(self, unused_for: timedelta) -> int:
        """Drop environments that no run has used for so long; they are built anew when needed. Return how many."""
        return self.engine.prune_unused(time.time() - unused_for.total_seconds())

    def _whole(self, name: str | Id) -> Id:
        wanted = self._experiment(name, "can only delete whole runs")
        if wanted.sub is not None:
            whole = Id(wanted.user, wanted.number)
            raise InvalidInputError(
                "can only delete whole runs", f"{wanted} is part of set {whole}."
            )
        return wanted


def _ended(run: SetStatus) -> datetime | None:
    return run.finished or run.created
