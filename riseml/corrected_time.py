"""Time by which a command shows ages and cuts periods: a cluster's, once one has answered.

Times of runs are those of the cluster, and the clock of the user's machine may be wrong by
minutes. A command talks to one cluster, so one correction serves the whole process.
"""

from datetime import UTC, datetime, timedelta

# Answers of a cluster are dated to the second and take a while, so less than this is no error.
_TOLERANCE = timedelta(seconds=2)


class _Correction:
    """What this machine's clock lacks."""

    lag = timedelta(0)


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC) + _Correction.lag


def correct(time: datetime) -> None:
    """Take the time of a cluster for the correct one, in this process."""
    lag = time - datetime.now(UTC)
    _Correction.lag = lag if abs(lag) > _TOLERANCE else timedelta(0)
