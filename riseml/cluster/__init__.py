"""Kubernetes cluster as RiseML uses it: connections, requests, and users' namespaces.

    contexts ──▶ Connection ──▶ Api           requests: JSON in, JSON out, RiseML's errors
                               └─ pod_exec    commands in pods (WebSocket): the store,
                                              `git push`, `riseml shell`
    kubeconfig ──▶ credentials ──▶ Connection     exec plug-ins, certificates, tokens

A user has the namespace `riseml-<name>`. Its ConfigMap `riseml` contains what the
administrator configured for the user. Requests use `http.client` (`transport.py`), not
the package `kubernetes`: importing that takes longer than a complete `kubectl get`, and
it cannot request metadata or tables alone. It only renews tokens of an `auth-provider`.
"""

from riseml import labels

SYSTEM = "riseml"
"""Namespace of what all users share."""

PREFIX = "riseml-"
"""Prefix of the names of users' namespaces."""

STORE = labels.STORE
"""Deployment that serves the files of a user's three claims, and the claim for code."""

SETTINGS = "riseml"
"""ConfigMap of a user's namespace: the run counter, the fields of `Target`, built images."""

ARGO_SERVER = "argo-server"
"""Key of that ConfigMap for the URL of an Argo Server."""

USER_ACCOUNT, JOB_ACCOUNT = "riseml-user", "riseml-job"
"""Service accounts of a user's namespace: the user's own, and that of Argo's executor."""


def namespace_of(user: str) -> str:
    """Return the name of a user's namespace."""
    return PREFIX + user.lower()
