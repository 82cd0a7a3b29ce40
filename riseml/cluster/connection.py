"""How a cluster is reached, and as whom."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riseml.errors import InvalidInputError, UnreachableError


@dataclass(frozen=True)
class Connection:
    """Where a cluster answers and who asks.

    `authority` is the PEM text of the certificates that the server's may be signed by (empty: those that the system
    trusts); `namespace` is the user's. `argo` is the URL of an Argo Server, empty where there is none.
    """

    server: str
    authority: str = ""
    token: str = ""
    # The files of the certificate and of its key.
    certificate: tuple[str, str] | None = None
    namespace: str = "default"
    user: str = ""
    argo: str = ""
    # The context's
    name: str = ""


def from_kubeconfig(
    path: str | Path | None = None, context: str | None = None
) -> Connection:
    """Return the connection of a kubeconfig's context; None: KUBECONFIG or ~/.kube/config, and its current one.

    Raises:
        InvalidInputError: the file, or the context in it, is not there or cannot be read.
        UnreachableError: the program that it names for logging in has failed.
    """
    # 0.2 s, for administrators only
    from kubernetes import client, config  # noqa: PLC0415

    settings: Any = client.Configuration()
    try:
        config.load_kube_config(str(path) if path else None, context, settings)  # type: ignore[no-untyped-call]
        known, active = config.list_kube_config_contexts(str(path) if path else None)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        text = str(error).strip()
        if "exec" in text:
            raise UnreachableError(
                f"the kubeconfig's login has failed: {text}",
                "Log in to the cluster anew.",
            ) from None
        advice = "Let KUBECONFIG name a kubeconfig, or use `riseml user login` with an API key."
        raise InvalidInputError(f"no usable kubeconfig: {text}", advice) from None
    chosen = next((each for each in known if each["name"] == context), active)
    authority = (
        Path(settings.ssl_ca_cert).read_text("utf-8") if settings.ssl_ca_cert else ""
    )
    token = (
        str(settings.api_key.get("authorization") or "").removeprefix("Bearer ").strip()
    )
    pair = (
        (settings.cert_file, settings.key_file)
        if settings.cert_file and settings.key_file
        else None
    )
    if not settings.verify_ssl:
        raise InvalidInputError(
            f"the kubeconfig's context {chosen['name']} does without TLS verification",
            "Put certificate-authority-data into it; RiseML sends no key to a server that it cannot know.",
        )
    return Connection(
        server=str(settings.host).rstrip("/"),
        authority=authority,
        token=token,
        certificate=pair,
        namespace=chosen["context"].get("namespace") or "default",
        user=str(chosen["context"].get("user") or ""),
        name=str(chosen["name"]),
    )
