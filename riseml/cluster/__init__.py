"""A Kubernetes cluster as RiseML sees it: how it is reached, and what lies there for a user.

    contexts ──▶ Connection ──▶ Api            every request: JSON in, JSON out, errors in RiseML's words
                               └─ execution    commands in pods (WebSocket): the store, `git push`, `riseml shell`

A user is a namespace `riseml-<name>`; what the administrator has settled for it stands there in the ConfigMap `riseml`.
Requests go through urllib3, not through the package kubernetes: importing that takes longer than `kubectl get` as a
whole, and it cannot ask for metadata or tables alone. It reads kubeconfigs, which may call programs to log in.
"""

SYSTEM = "riseml"
"""The namespace of what all users share."""

PREFIX = "riseml-"
"""What the name of a user's namespace begins with."""

STORE = "riseml-store"
"""The Deployment, and the claim, that keep a user's code; it serves files of all three claims."""

SETTINGS = "riseml"
"""The ConfigMap of a user's namespace: the counter of runs, what `Target` must know, which images are built."""

ARGO_SERVER = "argo-server"
"""Its entry for the URL of an Argo Server."""

USER_ACCOUNT, JOB_ACCOUNT = "riseml-user", "riseml-job"
"""The service accounts of a user's namespace: the user's own, and that of Argo's executor."""


def namespace_of(user: str) -> str:
    """Return the namespace of a user."""
    return PREFIX + user.lower()
