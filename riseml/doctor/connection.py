"""Checks of the connection to a cluster, for users and administrators."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from riseml.cluster import reviews
from riseml.doctor.check_context import HasApi
from riseml.doctor.findings import Check, Outcome, checks, ok, skipped, warning

# No certificate or login depends on less.
_MOST_SKEW = timedelta(seconds=30)


def all_checks(context: HasApi) -> list[Check]:
    """Return the checks; without an answer and valid credentials, no other helps."""
    return checks(context, _server, _key, _clock, gates=[_server, _key])


def _server(context: HasApi) -> Outcome:
    """The API server answers."""
    version = str(context.api.get("/version").get("gitVersion", "?"))
    server = context.api.connection.server
    return ok(f"Kubernetes {version.removeprefix('v')} at {server}")


def _key(context: HasApi) -> Outcome:
    """Your login is accepted."""
    name = reviews.name_of_user(context.api)
    # Kubernetes before 1.28 accepts the key, but cannot name the user.
    return ok(f"as {name}" if name else "accepted")


def _clock(context: HasApi) -> Outcome:
    """This machine's clock."""
    response = context.api.open("/version")
    date = response.headers.get("Date")
    response.close()
    if not date:
        return skipped("the cluster does not report its time")
    skew = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    if skew > _MOST_SKEW:
        return warning(
            f"it differs from the cluster's by {int(skew.total_seconds())} seconds",
            "Synchronize it with NTP: certificates and logins are checked by it. Times of runs are the cluster's.",
        )
    return ok("it agrees with the cluster's")
