"""Token of a user's account, which makes the API key.

The cluster creates the token for the Secret of `argo/user/accounts.yaml`.
"""

import base64
import time

from riseml.cluster import USER_ACCOUNT, keys, namespace_objects
from riseml.cluster.api import Api, data_of, path
from riseml.cluster.connection import Connection
from riseml.errors import TimedOutError
from riseml.status.document import inner

TOKEN = f"{USER_ACCOUNT}.service-account-token"
"""Secret that contains a user's token."""

_TOKEN_SECONDS, _POLL_SECONDS = 30.0, 0.1


def wait_for(api: Api, namespace: str) -> None:
    """Wait until the cluster has created the user's token.

    Raises:
        TimedOutError: it does not create one.
    """
    deadline = time.monotonic() + _TOKEN_SECONDS
    while True:
        secret = api.find(path("secrets", namespace, TOKEN))
        if inner(secret, "data").get("token"):
            return
        if secret is None:
            # The cluster deletes the Secrets of a deleted account with a delay, and may
            # have deleted the new one, too.
            for body in namespace_objects.read("accounts.yaml"):
                api.apply(body, namespace)
        if time.monotonic() > deadline:
            raise TimedOutError(
                f"the cluster created no token for {namespace}",
                "Check that its controller manager runs, and then update the user.",
            )
        time.sleep(_POLL_SECONDS)


def key(api: Api, server: str, namespace: str, user: str) -> str:
    """Return a user's API key, empty while there is no token."""
    data = data_of(api, path("secrets", namespace, TOKEN))
    token = base64.b64decode(data.get("token", "")).decode()
    if not token:
        return ""
    authority = api.connection.authority
    connection = Connection(server, authority, token, namespace=namespace, user=user)
    return keys.encode(connection)


def revoke(api: Api, namespace: str) -> None:
    """Make a user's key invalid for ever; the cluster may accept it for some seconds."""
    # A token contains only the account's uid: if the account remained, the next token
    # would equal the revoked one.
    api.delete(path("serviceaccounts", namespace, USER_ACCOUNT))
    api.delete(path("secrets", namespace, TOKEN))
