"""Copies of an object in the namespaces of all users."""

from collections.abc import Iterable

from riseml.cluster import user_versions
from riseml.cluster.api import Api, Object, path
from riseml.errors import RiseMLError


def distribute(api: Api, bodies: Iterable[Object]) -> None:
    """Apply objects, which name no namespace, in the namespaces of all users."""
    namespaces = user_versions.user_namespaces(api)
    for body in bodies:
        for namespace in namespaces:
            _copy_into(api, body, namespace)


def _copy_into(api: Api, body: Object, name: str) -> None:
    try:
        api.apply(body, name)
    except RiseMLError:
        # The user may have been deleted since the namespaces were listed.
        namespace = api.find(path("namespaces", None, name))
        if namespace and "deletionTimestamp" not in namespace["metadata"]:
            raise
