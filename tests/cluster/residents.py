"""Users of a cluster, created as an administrator does, and the API server's answers to their tokens.

The cluster is that of KUBECONFIG; a control plane is enough. All writes are `dryRun`: the API server checks rights
first, so the answer is the same, and nothing is damaged if rights are too wide.
"""

import json
import os
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import pytest
import urllib3

from riseml.cluster import STORE, keys
from riseml.cluster.api import Api, path
from riseml.cluster.connection import Connection
from riseml.cluster.namespace_objects import Offer
from riseml.cluster.store import is_ready
from riseml.cluster.subjects import KEY_ALONE, Grant
from riseml.cluster.users import User, Users
from tests.cluster.user_namespace import wait_until

FOLDER = {
    "hostPath": {
        "path": "/var/lib/riseml-recordings/{namespace}/{claim}",
        "type": "DirectoryOrCreate",
    }
}
OFFER = Offer(
    image="localhost/base:1", volumes=FOLDER, target={"git_image": "localhost/base:1"}
)
DRY = {"dryRun": "All"}

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_MERGE, _JSON = "application/merge-patch+json", "application/json"


def define_argo(api: Api) -> None:
    """Define Argo's kinds on a cluster without Argo."""
    for plural, kind in (
        ("workflows", "Workflow"),
        ("workflowtaskresults", "WorkflowTaskResult"),
        ("workflowtemplates", "WorkflowTemplate"),
        ("cronworkflows", "CronWorkflow"),
    ):
        api.ensure(_DEFINITIONS, definition(plural, kind))


def definition(plural: str, kind: str) -> dict[str, Any]:
    """Return the definition of a kind of Argo, which accepts all fields."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.argoproj.io"},
        "spec": {
            "group": "argoproj.io",
            "names": {"plural": plural, "kind": kind, "singular": kind.lower()},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def leave(api: Api, namespace: str) -> None:
    """Delete a user's namespace and volumes."""
    for claim in ("riseml-data", "riseml-output", "riseml-store"):
        api.delete(path("persistentvolumes", None, f"{namespace}-{claim}"))
    api.delete(path("namespaces", None, namespace))


def wait_for_store(api: Api, namespace: str) -> None:
    """Wait until the store of a user is ready."""
    pods = path("pods", namespace)
    wait_until(
        lambda: any(map(is_ready, api.items(pods, labelSelector=f"app={STORE}"))),
        90,
        "the store",
    )


def wait_until_gone(api: Api, namespace: str, seconds: float = 120) -> None:
    """Wait until a namespace is gone; until then, no object can be created in it."""
    wait_until(
        lambda: api.find(path("namespaces", None, namespace)) is None,
        seconds,
        f"{namespace} to go",
    )


def make(users: Users, name: str, grant: Grant = KEY_ALONE) -> User:
    """Create a user, or update one that an earlier test has left.

    A user that is being deleted is waited for.
    """
    at = path("namespaces", None, f"riseml-{name}")
    end = time.monotonic() + 90
    while (
        (existing := users.api.find(at))
        and "deletionTimestamp" in existing["metadata"]
        and time.monotonic() < end
    ):
        time.sleep(0.5)
    if existing:
        return users.update(name, grant=grant)
    return users.create(name, f"{name}@example.com", grant=grant)


def unavailable(reason: str) -> NoReturn:
    """Skip a test on somebody's cluster, and fail it on the control plane of the tests, which has everything."""
    if "RISEML_TEST_CONTROL_PLANE" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


class Caller:
    """Client with a token that returns the status of each request."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self._api = connection, Api(connection)
        self._pool = urllib3.PoolManager(
            ssl_context=self._api.tls, retries=False, timeout=20.0
        )

    def ask(
        self,
        method: str,
        at: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Return status and message."""
        kind = _MERGE if method == "PATCH" else _JSON
        request_headers = {**self._api.headers, "Content-Type": kind, **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        response = self._pool.request(
            method, self.connection.server + at, body=data, headers=request_headers
        )
        try:
            message = str(json.loads(response.data).get("message", ""))
        except ValueError:
            message = response.data[:200].decode(errors="replace")
        return response.status, message

    def may(
        self,
        verb: str,
        at: str,
        name: str,
        subresource: str = "",
        body: Mapping[str, Any] | None = None,
    ) -> bool:
        """Return whether a verb is allowed; `at` is the path of the list."""
        one = f"{at}/{name}" + (f"/{subresource}" if subresource else "")
        dry = "?dryRun=All"
        method, where = {
            "get": ("GET", one),
            "list": ("GET", f"{at}?limit=1"),
            "watch": ("GET", f"{at}?watch=1&timeoutSeconds=1&resourceVersion=0"),
            "create": ("POST", (one if subresource else at) + dry),
            "patch": ("PATCH", one + dry),
            "update": ("PUT", one + dry),
            "delete": ("DELETE", one + dry),
            "deletecollection": ("DELETE", at + dry),
        }[verb]
        status, message = self.ask(
            method, where, body if body is not None else {} if method != "GET" else None
        )
        assert status != 401, message
        return not (status == 403 and "cannot " in message)


def caller(user: User, server: str = "") -> Caller:
    """Return a client with the user's key."""
    connection = keys.decode(user.key)
    return Caller(
        connection
        if not server
        else Connection(
            server,
            connection.authority,
            connection.token,
            namespace=connection.namespace,
        )
    )
