"""Checks of a whole cluster, for its administrator."""

from itertools import filterfalse

from riseml.cluster import STORE, SYSTEM, certificates, user_versions
from riseml.cluster.api import path
from riseml.doctor import connection, prerequisites
from riseml.doctor.check_context import for_administrators
from riseml.doctor.cluster_context import ClusterContext
from riseml.doctor.findings import Check, Outcome, checks, failed, ok, skipped, warning
from riseml.doctor.shared import deployments, missing_secrets, policies
from riseml.excerpts import counted, listed

_MAX_USERS = 5


def all_checks(context: ClusterContext) -> list[Check]:
    """Return the checks, in the order in which each builds on the last."""
    functions = (
        _installed,
        deployments,
        policies,
        _certificates,
        _pull_secrets,
        _users,
        _stores,
    )
    return [
        *connection.all_checks(context),
        *prerequisites.all_checks(context),
        *checks(context, *functions, gates=[_installed]),
    ]


@for_administrators
def _installed(context: ClusterContext) -> Outcome:
    """The installation of RiseML."""
    namespace = context.api.find(path("namespaces", None, SYSTEM))
    if namespace is None:
        return failed(
            "RiseML is not installed on this cluster",
            "`riseml system install --check` shows what it would do, and `riseml system install` does it.",
        )
    if "deletionTimestamp" in namespace.get("metadata", {}):
        return failed(
            f"the namespace {SYSTEM} is being deleted",
            "When it is gone, `riseml system install` installs RiseML again.",
        )
    given = ", ".join(context.values.given)
    return ok(f"the values set {given}" if given else "the values are the defaults")


@for_administrators
def _certificates(context: ClusterContext) -> Outcome:
    """The certificates of BuildKit."""
    if not context.values.deploys("buildkit"):
        return skipped("the values deploy no BuildKit (`build`, `buildkit.deploy`)")
    if certificates.are_due(context.api, context.now):
        return warning(
            "they are missing, or expire within 90 days",
            "`riseml system upgrade` renews them, and copies them to all users.",
        )
    return ok("they are valid for at least 90 days")


@for_administrators
def _pull_secrets(context: ClusterContext) -> Outcome:
    """Secrets for private registries."""
    names = context.values["imagePullSecrets"]
    missing = missing_secrets(context.api, SYSTEM, names)
    if missing:
        return failed(
            f"the namespace {SYSTEM} has no Secret {', '.join(missing)}",
            f"Create it with `kubectl -n {SYSTEM} create secret docker-registry`, and run `riseml system upgrade`.",
        )
    return ok(listed(names, "none is configured"))


@for_administrators
def _users(context: ClusterContext) -> Outcome:
    """The settings of the users."""
    users = user_versions.user_namespaces(context.api)
    outdated = user_versions.outdated(context.api, context.values.offer())
    if outdated:
        return warning(
            f"of another version or of other values: {counted(outdated, _MAX_USERS)}",
            "`riseml user update --all` updates the namespaces of all users.",
        )
    return ok(f"all {len(users)} are up to date")


@for_administrators
def _stores(context: ClusterContext) -> Outcome:
    """The users' stores."""
    users = user_versions.user_namespaces(context.api)
    ready = set()
    selector = f"metadata.name={STORE}"
    for body in context.api.items(path("deployments"), fieldSelector=selector):
        if body.get("status", {}).get("availableReplicas"):
            ready.add(body["metadata"]["namespace"])
    late = list(filterfalse(ready.__contains__, users))
    if late:
        names = [users[namespace] for namespace in late]
        return failed(
            f"not ready: {counted(names, _MAX_USERS)}",
            f"`kubectl -n {late[0]} describe pods -l app={STORE}` shows the reason.",
        )
    return ok(f"all {len(users)} are ready")
