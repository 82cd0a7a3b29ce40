"""Argo Server: a way to submit Workflows, and the user interface of Argo.

Its URL may have a path, where a proxy serves several programs at one address. It knows users by
the tokens of the cluster (`--auth-mode client`), or by tokens of its own (`--auth-mode
sso`), which RiseML takes from the variable that the program `argo` uses.
"""

import os

from riseml.cluster.connection import Connection

TOKEN = "ARGO_TOKEN"  # noqa: S105
"""The variable with a token of the server."""

PATH_ADVICE = (
    "An Argo Server with `--base-href /PATH/` adds the path to its pages only: "
    "a proxy in front of it has to remove the path from requests."
)


def is_usable(connection: Connection) -> bool:
    """Return whether Workflows are submitted to an Argo Server.

    It accepts tokens only, and no client certificates.
    """
    return bool(connection.argo and token(connection))


def uses_own_token(connection: Connection) -> bool:
    """Return whether the server knows the user by a token of its own."""
    return bool(connection.argo and _own_token())


def token(connection: Connection) -> str:
    """Return the token that the server knows the user by, empty if there is none."""
    return _own_token() or connection.token


def _own_token() -> str:
    # The user interface of Argo shows it with this word.
    return os.environ.get(TOKEN, "").strip().removeprefix("Bearer ").strip()


def page(connection: Connection, namespace: str, workflow: str) -> str | None:
    """Return the page of a Workflow in the user interface, None without a server."""
    if not connection.argo:
        return None
    return f"{connection.argo}/workflows/{namespace}/{workflow}"
