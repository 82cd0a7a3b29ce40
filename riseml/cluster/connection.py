"""Connection to a cluster: its server, and the user's credentials."""

from pathlib import Path

from riseml.cluster import credentials, kubeconfig
from riseml.dataclass import dataclass, replace
from riseml.errors import InvalidInputError


@dataclass(frozen=True)
class Connection:
    """Address of a cluster, and the user who connects to it.

    `authority` is the PEM text of the authorities that may sign the server's
    certificate; if it is empty, the system's are used. `certificate` names the files of
    a client certificate and of its key. `namespace` is the user's. `argo` is the URL of
    an Argo Server, empty if there is none. `name` is the name of the context.
    `kubeconfig` names the files and the context that the credentials come from, None for
    an API key.
    """

    server: str
    authority: str = ""
    token: str = ""
    certificate: tuple[str, str] | None = None
    namespace: str = "default"
    user: str = ""
    argo: str = ""
    name: str = ""
    kubeconfig: tuple[str, str] | None = None


def from_kubeconfig(
    path: str | Path | None = None, context: str | None = None
) -> Connection:
    """Return the connection for a context of a kubeconfig.

    Without `path`, the kubeconfig is the one of KUBECONFIG, or ~/.kube/config; without
    `context`, the context is the current one.

    Raises:
        InvalidInputError: the file or the context is missing or invalid, or the context
            skips TLS verification.
        UnreachableError: the context's login command failed.
    """
    chosen = kubeconfig.read(path, context)
    if chosen.cluster.content.get("insecure-skip-tls-verify"):
        raise InvalidInputError(
            f"context {chosen.name} skips TLS verification",
            "Add certificate-authority-data: RiseML sends keys only to servers it can verify.",
        )
    login = credentials.obtain(chosen)
    authority = chosen.cluster.data("certificate-authority") or b""
    return Connection(
        server=chosen.cluster.text("server").rstrip("/"),
        authority=authority.decode("ascii", errors="replace"),
        token=login.token,
        certificate=login.certificate,
        namespace=chosen.namespace or "default",
        user=chosen.user.name,
        name=chosen.name,
        kubeconfig=(chosen.paths, chosen.name),
    )


def renewed(connection: Connection) -> Connection | None:
    """Return a connection with the credentials of now, None for an API key.

    Raises:
        InvalidInputError: the kubeconfig has changed, and cannot be used any more.
        UnreachableError: the login command failed.
    """
    if connection.kubeconfig is None:
        return None
    login = credentials.obtain(kubeconfig.read(*connection.kubeconfig))
    return replace(connection, token=login.token, certificate=login.certificate)
