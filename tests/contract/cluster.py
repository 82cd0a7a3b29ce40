"""Users of the cluster of KUBECONFIG, who act with their own keys.

With RISEML_TEST_LOGIN=person, they have no keys, and act with the login of a person.
"""

import atexit
import os
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from riseml.cluster import keys
from riseml.cluster.api import Api
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.cluster.subjects import KEY_ALONE, Grant
from riseml.cluster.users import Users
from riseml.engines.argo.engine import ArgoEngine
from riseml.errors import InvalidInputError
from tests.cluster import people, residents
from tests.cluster.user_namespace import IMAGE

__all__ = ["IMAGE", "administrator", "engine"]

PERSON = os.environ.get("RISEML_TEST_LOGIN") == "person"
"""Whether users have the login of a person instead of a key."""

NAMESPACE = "riseml-contract-person" if PERSON else "riseml-contract"


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
    grant = Grant((f"{name}@example.com",), has_key=False) if PERSON else KEY_ALONE
    try:
        user = residents.make(users, name, grant)
    except InvalidInputError:
        # Another process has created the user.
        user = users.update(name)
    residents.wait_for_store(api, namespace)
    if not PERSON:
        return keys.decode(user.key)
    folder = Path(tempfile.mkdtemp(prefix="riseml-person-"))
    atexit.register(shutil.rmtree, folder)
    login = people.person(folder / name, f"{name}@example.com")
    kubeconfig = login.kubeconfig(user.namespace)
    return replace(from_kubeconfig(kubeconfig), user=user.name)
