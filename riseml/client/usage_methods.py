"""Method of `riseml.Client` that says what runs have used."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from riseml.client.context import ClientContext

if TYPE_CHECKING:
    from riseml.consumption import UsageReport

_MONTH = timedelta(days=30)


class UsageMethods:
    """The part of a client that adds up what runs have used."""

    _context: ClientContext

    def usage(
        self,
        *,
        project: str | None = None,
        since: datetime | None = None,
        older_than: timedelta = _MONTH,
    ) -> "UsageReport":
        """Return the hours of GPUs and cores of the user's runs, and the space on disk.

        `since` cuts the hours: what ran before does not count. Disk space is that of now,
        and `older_than` says what `prune` would free. Deleted runs are not known any more.

        Raises:
            NotFoundError: no run belongs to the project.
            UnsupportedError: the engine does not measure it.
        """
        from riseml.client import usage

        return usage.usage(self._context, project, since, older_than)
