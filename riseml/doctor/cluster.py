"""Checks of a cluster: the connection, what all users share, the user's namespace."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from riseml.doctor import namespace, shared
from riseml.doctor.check_context import CheckContext
from riseml.doctor.findings import Check, Outcome, checks, ok, skipped, warning
from riseml.errors import NotFoundError

# Ages are the difference between Argo's times and this machine's.
_MOST_SKEW = timedelta(seconds=30)


def all_checks(context: CheckContext) -> list[Check]:
    """Return the checks of a cluster, in the order in which each builds on the last."""
    # Without an answer and a valid key, every further request would fail, too.
    connection = checks(context, _server, _key, _clock, gates=[_server, _key])
    return [*connection, *shared.all_checks(context), *namespace.all_checks(context)]


def _server(context: CheckContext) -> Outcome:
    """The API server answers."""
    version = str(context.api.get("/version").get("gitVersion", "?"))
    server = context.api.connection.server
    return ok(f"Kubernetes {version.removeprefix('v')} at {server}")


def _key(context: CheckContext) -> Outcome:
    """The key is accepted."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        review = context.api.create(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews", body
        )
    except NotFoundError:
        # Kubernetes before 1.28 accepts the key, but cannot name the user.
        return ok("accepted")
    return ok(f"as {review['status']['userInfo'].get('username', '?')}")


def _clock(context: CheckContext) -> Outcome:
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
            "Synchronize it with NTP: the ages of runs and the timing of kills depend on it.",
        )
    return ok("it agrees with the cluster's")
