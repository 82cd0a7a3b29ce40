"""Logging in: from a key or a kubeconfig to a context of the user's settings file, once the cluster has let it in."""

import base64
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from riseml.cluster import ARGO_SERVER, SETTINGS, contexts, keys
from riseml.cluster.api import Api, path
from riseml.cluster.connection import Connection, from_kubeconfig
from riseml.errors import InvalidInputError, NotFoundError

_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Entry:
    """A way to a cluster, and how the settings file says it."""

    connection: Connection
    user: dict[str, Any]
    cluster: dict[str, Any]
    name: str


def by_key(key: str, *, server: str = "") -> Entry:
    """Return what an API key stands for; `server` is where the cluster answers from here, if not as the key says.

    Raises:
        InvalidInputError: the key is not whole, or the server would get it in the clear.
    """
    found = keys.decode(key)
    if server:
        found = replace(
            found,
            server=(server if "://" in server else f"https://{server}").rstrip("/"),
        )
    if urlsplit(found.server).scheme != "https":
        raise InvalidInputError(
            f"{found.server} does not begin with https://",
            "RiseML sends a key over TLS only; leave http:// away.",
        )
    cluster = {"server": found.server}
    if found.authority:
        cluster["certificate-authority-data"] = base64.b64encode(
            found.authority.encode()
        ).decode()
    user = {"name": found.user, "api-key": found.token, "namespace": found.namespace}
    name = f"{found.user}@{urlsplit(found.server).hostname}"
    return Entry(found, user, cluster, name)


def by_kubeconfig(
    file: str | None, context: str | None, namespace: str | None
) -> Entry:
    """Return what a kubeconfig says; the user is the one whose namespace it names.

    Raises:
        InvalidInputError: there is no such context.
    """
    chosen = str(Path(file).expanduser().absolute()) if file else None
    found = from_kubeconfig(chosen, context)
    place = namespace or found.namespace
    user = {"kubeconfig": chosen or _usual(), "context": found.name, "namespace": place}
    return Entry(
        replace(found, namespace=place, user=place.removeprefix("riseml-")),
        user,
        {},
        found.name,
    )


def verified(entry: Entry, *, argo: str = "") -> Entry:
    """Ask the cluster as this user; return the entry with the user's name, and the Argo Server, as the cluster says.

    `argo` is an Argo Server's URL instead of that.

    Raises:
        NotAllowedError: it does not accept the key.
        UnreachableError: it does not answer.
        NotFoundError: the namespace is no user's.
        InvalidInputError: the Argo Server would get the key in the clear.
    """
    connection = entry.connection
    found = Api(connection).find(path("configmaps", connection.namespace, SETTINGS))
    if found is None:
        raise NotFoundError(
            f"the namespace {connection.namespace} is no user's of RiseML",
            "Name a user's with --namespace; an administrator makes one with `riseml user create`.",
        )
    told = found.get("data", {})
    server = argo.rstrip("/") or str(told.get(ARGO_SERVER) or "")
    parts = urlsplit(server)
    if server and parts.scheme != "https" and parts.hostname not in _HERE:
        raise InvalidInputError(
            f"the Argo Server {server} does not begin with https://",
            "RiseML sends a key over TLS only.",
        )
    connection = replace(
        connection, user=str(told.get("user") or connection.user), argo=server
    )
    return replace(
        entry,
        connection=connection,
        cluster={**entry.cluster, **({"argo-server": server} if server else {})},
    )


def remember(file: Path, entry: Entry, name: str = "") -> str:
    """Write the context into the settings file and use it from now on; return its name.

    Raises:
        HomeError: the file cannot be written.
        InvalidInputError: the name means this machine.
    """
    name = name or entry.name
    if name == contexts.LOCAL:
        raise InvalidInputError(
            f"'{name}' means this machine", "Give the context another name with --name."
        )
    known = contexts.load(file)
    known.put(name, entry.cluster, entry.user)
    known.save()
    return name


def _usual() -> str:
    """Return the kubeconfig that everybody takes: the first of KUBECONFIG that is there."""
    files = [
        Path(each)
        for each in os.environ.get("KUBECONFIG", "").split(os.pathsep)
        if each
    ]
    files.append(Path("~/.kube/config").expanduser())
    return str(next((each for each in files if each.exists()), files[0]).absolute())
