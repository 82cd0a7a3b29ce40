"""Checks of `riseml doctor` for the Argo engine."""

from riseml.cluster import contexts
from riseml.cluster.api import Api
from riseml.doctor import cluster
from riseml.doctor.check_context import CheckContext
from riseml.doctor.findings import Check
from riseml.settings import Settings


def engine_checks(settings: Settings) -> list[Check]:
    """Return the checks of the cluster that the settings name.

    Raises:
        NotFoundError: the settings name a context that does not exist.
    """
    connection = contexts.load(settings.file).connection(settings.context or None)
    api = Api(connection)
    return cluster.all_checks(CheckContext(api, connection.namespace, connection.user))
