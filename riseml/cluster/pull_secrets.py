"""Secrets for private registries, copied from the namespace SYSTEM to those of users."""

from collections.abc import Iterable, Iterator

from riseml.cluster import SYSTEM, user_copies
from riseml.cluster.api import Api, Object, path


def copies(api: Api, names: Iterable[str]) -> Iterator[Object]:
    """Yield the Secrets of SYSTEM without a namespace.

    Those that SYSTEM does not have are left to the administrator.
    """
    for name in names:
        secret = api.find(path("secrets", SYSTEM, name))
        if secret is not None:
            yield {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "type": secret["type"],
                "data": secret.get("data", {}),
            }


def distribute(api: Api, names: Iterable[str]) -> None:
    """Copy the Secrets into the namespaces of all users."""
    user_copies.distribute(api, copies(api, names))
