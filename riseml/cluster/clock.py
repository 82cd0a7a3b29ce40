"""Clock of a cluster, as its API server's answers show it.

The clock of the user's machine may be wrong by minutes, and times of the cluster are
compared with each other only.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from riseml import corrected_time

_NO_TIME = timedelta(0)
_SECOND = timedelta(seconds=1)


class ClusterClock:
    """The times of answers, and what has passed since then on this machine."""

    def __init__(self) -> None:
        self._boot: datetime | None = None

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take the time from the headers of an answer; headers without one change nothing."""
        try:
            date = parsedate_to_datetime(headers["Date"])
        except (KeyError, ValueError):
            return
        boot = date.astimezone(UTC) - _since_boot()
        # Answers are dated to the second, so the latest estimate of several is the best.
        if self._boot is None or not _NO_TIME <= self._boot - boot < _SECOND:
            self._boot = boot
            corrected_time.correct(self.now())

    def now(self) -> datetime:
        """Return the cluster's time, this machine's before the first answer.

        It is at most a second late.
        """
        if self._boot is None:
            return datetime.now(UTC)
        return self._boot + _since_boot()


def _since_boot() -> timedelta:
    """Return a time that no change of this machine's clock affects."""
    return timedelta(seconds=time.monotonic())
