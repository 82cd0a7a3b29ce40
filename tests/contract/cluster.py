"""Users of the cluster of KUBECONFIG, who act with their own keys."""

from functools import cache
from pathlib import Path

from riseml.cluster import STORE, keys
from riseml.cluster.api import Api, path
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.cluster.store import is_ready
from riseml.cluster.users import Users
from riseml.engines.argo.engine import ArgoEngine
from riseml.errors import InvalidInputError
from tests.cluster import residents
from tests.cluster.user_namespace import IMAGE, wait_until

__all__ = ["IMAGE", "administrator", "engine"]

NAMESPACE = "riseml-contract"


@cache
def administrator() -> Api:
    """Return the API server, accessed with KUBECONFIG."""
    return Api(from_kubeconfig())


def engine(home: Path, namespace: str = NAMESPACE) -> ArgoEngine:
    """Return the engine of a user, who is created if needed."""
    return ArgoEngine(_connection(namespace), home)


@cache
def _connection(namespace: str) -> Connection:
    api, name = administrator(), namespace.removeprefix("riseml-")
    users = Users(api, residents.OFFER)
    try:
        user = residents.make(users, name)
    except InvalidInputError:
        # Another process has created the user.
        user = users.update(name)
    pods = path("pods", namespace)
    wait_until(
        lambda: any(map(is_ready, api.items(pods, labelSelector=f"app={STORE}"))),
        90,
        "the store",
    )
    return keys.decode(user.key)
