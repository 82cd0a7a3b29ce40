"""Checks of a cluster: the connection, what all users share, the user's namespace."""

from riseml.doctor import connection, namespace, shared
from riseml.doctor.check_context import CheckContext
from riseml.doctor.findings import Check


def all_checks(context: CheckContext) -> list[Check]:
    """Return the checks of a cluster, in the order in which each builds on the last."""
    return [
        *connection.all_checks(context),
        *shared.all_checks(context),
        *namespace.all_checks(context),
    ]
