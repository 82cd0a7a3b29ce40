"""Connection to a cluster: its server, and the user's credentials."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riseml.errors import InvalidInputError, UnreachableError
from riseml.excerpts import excerpt
from riseml.schema import plain_yaml, text_file

_ADVICE = (
    "Set KUBECONFIG to a kubeconfig, or log in with an API key: `riseml user login`."
)
_AUTHORITY = "It must contain the certificates of the cluster's authority as PEM."


@dataclass(frozen=True)
class Connection:
    """Address of a cluster, and the user who connects to it.

    `authority` is the PEM text of the authorities that may sign the server's
    certificate; if it is empty, the system's are used. `certificate` names the files of
    a client certificate and of its key. `namespace` is the user's. `argo` is the URL of
    an Argo Server, empty if there is none. `name` is the name of the context.
    """

    server: str
    authority: str = ""
    token: str = ""
    certificate: tuple[str, str] | None = None
    namespace: str = "default"
    user: str = ""
    argo: str = ""
    name: str = ""


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
    settings, chosen = _load(str(path) if path else None, context)
    if not settings.verify_ssl:
        raise InvalidInputError(
            f"context {chosen['name']} skips TLS verification",
            "Add certificate-authority-data: RiseML sends keys only to servers it can verify.",
        )
    authority, certificate = "", None
    if settings.ssl_ca_cert:
        authority = text_file.read(settings.ssl_ca_cert, _AUTHORITY) or ""
    if settings.cert_file and settings.key_file:
        certificate = (settings.cert_file, settings.key_file)
    authorization = str(settings.api_key.get("authorization") or "")
    return Connection(
        server=str(settings.host).rstrip("/"),
        authority=authority,
        token=authorization.removeprefix("Bearer ").strip(),
        certificate=certificate,
        namespace=chosen["context"].get("namespace") or "default",
        user=str(chosen["context"].get("user") or ""),
        name=str(chosen["name"]),
    )


def _load(path: str | None, context: str | None) -> tuple[Any, Mapping[str, Any]]:
    """Return the client settings of a context, and the context itself."""
    # The import takes 0.2 s, and only kubeconfigs need it.
    from kubernetes import client, config  # noqa: PLC0415

    _check_syntax(path or config.KUBE_CONFIG_DEFAULT_LOCATION)
    settings: Any = client.Configuration()
    try:
        config.load_kube_config(path, context, settings)  # type: ignore[no-untyped-call]
        contexts, current = config.list_kube_config_contexts(path)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        text = str(error).strip()
        # Its message about a failed login command names the field `exec`.
        if "exec" in text:
            raise UnreachableError(
                f"the kubeconfig's login command failed: {text}",
                "Log in to the cluster again.",
            ) from None
        raise _unusable(text) from None
    except Exception as error:  # noqa: BLE001
        # The library checks no types, so a wrong value fails anywhere in it.
        raise _unusable(f"a value in it is wrong ({error})") from None
    for candidate in contexts:
        if candidate["name"] == context:
            return settings, candidate
    return settings, current


def _check_syntax(paths: str) -> None:
    """Refuse kubeconfigs that are not YAML; the library shows a traceback for them."""
    for path in paths.split(os.pathsep):
        text = text_file.read(Path(path).expanduser(), _ADVICE) if path else None
        if text:
            plain_yaml.compose(text, path, _ADVICE)


def _unusable(reason: str) -> InvalidInputError:
    return InvalidInputError(f"no usable kubeconfig: {excerpt(reason)}", _ADVICE)
