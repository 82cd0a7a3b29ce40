"""Fixtures on the cluster of KUBECONFIG: the system as an administrator installs it, and a user.

With RISEML_TEST_LOGIN=person, the user has no key, and logs in as a person of the organization.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from riseml.client.client import Client
from riseml.cluster import access, certificates, installation
from riseml.cluster.api import Api, path
from riseml.cluster.connection import from_kubeconfig
from riseml.cluster.subjects import KEY_ALONE, Grant
from riseml.cluster.users import User, Users
from riseml.cluster.values import Values, read_values
from tests.cluster import people, residents
from tests.cluster.installed import NAMESPACE, USER, VALUES
from tests.cluster.user_namespace import wait_until
from tests.contract.cluster import PERSON

_PERSON = f"{USER}@example.com"


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(from_kubeconfig())


@pytest.fixture(scope="module")
def values(api: Api) -> Values:
    now = datetime.now(UTC)
    installation.apply(api, VALUES, installation.plan(api, VALUES, now), now)
    wait_until(lambda: not installation.not_ready(api), 120, "BuildKit")
    return read_values(api)


@pytest.fixture(scope="module")
def administrator(api: Api, values: Values) -> Iterator[Api]:
    """Return the API server for an account with only the ClusterRole `riseml-admin`."""
    name = {"name": "riseml-system-test"}
    account = {"kind": "ServiceAccount", **name, "namespace": "default"}
    role = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "riseml-admin",
    }
    version = "rbac.authorization.k8s.io/v1"
    accounts, bindings = path("serviceaccounts", "default"), path("clusterrolebindings")
    api.ensure(
        accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name}
    )
    api.ensure(
        bindings,
        {
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": name,
            "roleRef": role,
            "subjects": [account],
        },
    )
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 600},
    }
    token = api.create(f"{accounts}/{name['name']}/token", request)["status"]["token"]
    yield Api(replace(api.connection, token=token, certificate=None))
    api.delete(f"{bindings}/{name['name']}")
    api.delete(f"{accounts}/{name['name']}")


@pytest.fixture(scope="module")
def user(administrator: Api, values: Values) -> Iterator[User]:
    users = Users(administrator, values.offer())
    grant = Grant((_PERSON,), has_key=False) if PERSON else KEY_ALONE
    created = users.create(USER, "test@example.com", grant=grant)
    certificates.distribute(administrator)
    yield created
    residents.leave(administrator, NAMESPACE)
    residents.wait_until_gone(administrator, NAMESPACE)


@pytest.fixture
def client(user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Return a client that the user has logged in with the key, or as a person without one."""
    monkeypatch.setenv("RISEML_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    if PERSON:
        person = people.person(tmp_path / "person", _PERSON)
        kubeconfig = str(person.kubeconfig(user.namespace))
        entry = access.by_kubeconfig(kubeconfig, None, None)
    else:
        entry = access.by_key(user.key)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    entry = access.verified(entry)
    access.remember(tmp_path / "home" / "config", entry, "")
    return Client(tmp_path / "home")
