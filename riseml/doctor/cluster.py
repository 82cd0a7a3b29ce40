"""Checks of a cluster: the way there, what all users share, and the user's own namespace."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from riseml.doctor import namespace, shared
from riseml.doctor.check_context import CheckContext
from riseml.doctor.findings import Check, Outcome, checks, ok, skipped, warning
from riseml.errors import NotFoundError

# Argo's times and ours are compared
_SKEW = timedelta(seconds=30)


def everything(site: CheckContext) -> list[Check]:
    """Return the checks of the way to a cluster, of what administrators may see, and of the user's namespace."""
    way = checks(site, _server, _key, _clock, gates=[_server, _key])
    return [*way, *shared.everything(site), *namespace.everything(site)]


def _server(site: CheckContext) -> Outcome:
    """The API server answers."""
    told = site.api.get("/version")
    return ok(
        f"Kubernetes {str(told.get('gitVersion', '?')).removeprefix('v')} at {site.api.connection.server}"
    )


def _key(site: CheckContext) -> Outcome:
    """The key is accepted."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        told = site.api.create(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews", body
        )
    except NotFoundError:
        # Before Kubernetes 1.28
        return ok("it is")
    return ok(f"as {told['status']['userInfo'].get('username', '?')}")


def _clock(site: CheckContext) -> Outcome:
    """This machine's clock."""
    response = site.api.open("/version")
    date = response.headers.get("Date")
    response.close()
    if not date:
        return skipped("the cluster does not tell its time")
    apart = abs(datetime.now(UTC) - parsedate_to_datetime(date))
    if apart > _SKEW:
        seconds = int(apart.total_seconds())
        return warning(
            f"it is {seconds} seconds apart from the cluster's",
            "Let NTP set it: ages and kills go by it.",
        )
    return ok("as the cluster's")
