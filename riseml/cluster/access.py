"""Login: from a key or a kubeconfig to a context of the user's settings file.

The context is written only after the cluster has accepted the user.
"""

import base64
import os
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from riseml.cluster import ARGO_SERVER, PREFIX, SETTINGS, contexts, keys, reviews
from riseml.cluster.api import Api, path
from riseml.cluster.api_errors import NotAuthenticatedError
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.dataclass import dataclass, replace
from riseml.errors import InvalidInputError, NotAllowedError, NotFoundError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Entry:
    """Connection to a cluster, with its `user` and `cluster` in the settings file."""

    connection: Connection
    user: dict[str, Any]
    cluster: dict[str, Any]
    name: str


def by_key(key: str, *, server: str = "") -> Entry:
    """Return the entry for an API key.

    `server` replaces the key's server, for clients that reach the cluster by another
    address.

    Raises:
        InvalidInputError: the key is incomplete, or the server does not use TLS.
    """
    connection = keys.decode(key)
    if server:
        url = server if "://" in server else f"https://{server}"
        connection = replace(connection, server=url.rstrip("/"))
    # Over plain HTTP, anybody on the way could read the key.
    if urlsplit(connection.server).scheme != "https":
        raise InvalidInputError(
            f"{connection.server} does not begin with https://",
            "RiseML sends a key over TLS only: omit http://.",
        )
    cluster = {"server": connection.server}
    if connection.authority:
        authority = base64.b64encode(connection.authority.encode()).decode()
        cluster["certificate-authority-data"] = authority
    user = {
        "name": connection.user,
        "api-key": connection.token,
        "namespace": connection.namespace,
    }
    name = f"{connection.user}@{urlsplit(connection.server).hostname}"
    return Entry(connection, user, cluster, name)


def by_kubeconfig(
    file: str | None, context: str | None, namespace: str | None
) -> Entry:
    """Return the entry for a context of a kubeconfig.

    The RiseML user is the one whose namespace the context names.

    Raises:
        InvalidInputError: the kubeconfig has no such context.
    """
    chosen = str(Path(file).expanduser().absolute()) if file else None
    connection = from_kubeconfig(chosen, context)
    namespace = namespace or connection.namespace
    user = {
        "kubeconfig": chosen or _default_kubeconfig(),
        "context": connection.name,
        "namespace": namespace,
    }
    connection = replace(
        connection, namespace=namespace, user=namespace.removeprefix(PREFIX)
    )
    return Entry(connection, user, {}, connection.name)


def verified(entry: Entry, *, argo: str = "") -> Entry:
    """Send a request as the entry's user, and return the entry with the cluster's data.

    The cluster provides the user's name and the URL of its Argo Server; `argo` is used
    instead of the latter.

    Raises:
        NotAllowedError: the cluster does not accept the key.
        UnreachableError: the cluster does not answer.
        NotFoundError: the namespace does not belong to a user.
        InvalidInputError: the Argo Server does not use TLS.
    """
    connection = entry.connection
    namespace = connection.namespace
    api = Api(connection)
    try:
        settings = api.find(path("configmaps", namespace, SETTINGS))
    except NotAuthenticatedError:
        raise
    except NotAllowedError as error:
        raise _no_access(api, error) from None
    if settings is None:
        raise NotFoundError(
            f"the namespace {namespace} does not belong to a RiseML user",
            "Name a user's namespace with --namespace; an administrator creates users with `riseml user create`.",
        )
    data = settings.get("data", {})
    server = argo.rstrip("/") or str(data.get(ARGO_SERVER) or "")
    _check_argo_server(server)
    connection = replace(
        connection, user=str(data.get("user") or connection.user), argo=server
    )
    cluster = dict(entry.cluster)
    if server:
        cluster["argo-server"] = server
    return replace(entry, connection=connection, cluster=cluster)


def _no_access(api: Api, error: NotAllowedError) -> NotAllowedError:
    """Return the error for a person who may not use a namespace."""
    connection = api.connection
    name = reviews.name_of_user(api)
    if connection.kubeconfig is None or not name:
        return error
    namespace = connection.namespace
    advice = (
        "Your administrator gives access: "
        f"`riseml user update --username {connection.user} --subject {shlex.quote(name)}`."
    )
    if not namespace.startswith(PREFIX):
        advice = f"Name a user's namespace with --namespace: {PREFIX}NAME."
    return NotAllowedError(f"{name} may not use the namespace {namespace}", advice)


def remember(file: Path, entry: Entry, name: str = "") -> str:
    """Write the context into the settings file, make it current, and return its name.

    Raises:
        HomeError: the file cannot be written.
        InvalidInputError: the name is reserved for this machine.
    """
    name = name or entry.name
    if name == contexts.LOCAL:
        raise InvalidInputError(
            f"the name '{name}' is reserved for this machine",
            "Give the context another name with --name.",
        )
    settings = contexts.load(file)
    settings.put(name, entry.cluster, entry.user)
    settings.save()
    return name


def _check_argo_server(url: str) -> None:
    parts = urlsplit(url)
    # A forwarded port of this machine needs no TLS.
    if not url or parts.scheme == "https" or parts.hostname in _LOOPBACK:
        return
    raise InvalidInputError(
        f"the Argo Server {url} does not begin with https://",
        "RiseML sends a key over TLS only.",
    )


def _default_kubeconfig() -> str:
    """Return the kubeconfig that kubectl uses: the first existing one of KUBECONFIG."""
    names = os.environ.get("KUBECONFIG", "").split(os.pathsep)
    files = list(map(Path, filter(None, names)))
    files.append(Path("~/.kube/config").expanduser())
    for file in files:
        if file.exists():
            return str(file.absolute())
    return str(files[0].absolute())
