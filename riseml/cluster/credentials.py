"""Credentials of the user of a kubeconfig's context: a token, a client certificate, or both."""

import atexit
import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

from riseml.cluster.kubeconfig import Context, Section, unusable
from riseml.dataclass import dataclass
from riseml.errors import UnreachableError


@dataclass(frozen=True)
class Credentials:
    """Bearer token, and the files of a client certificate and of its key."""

    token: str = ""
    certificate: tuple[str, str] | None = None


def obtain(context: Context) -> Credentials:
    """Return the credentials of a context's user, who may have to log in for them.

    Raises:
        InvalidInputError: the kubeconfig describes none that can be used.
        UnreachableError: the login command failed.
    """
    user = context.user
    if user.section("auth-provider").content:
        return Credentials(token=_provider_token(context))
    if user.section("exec").content:
        return _from_plugin(context)
    if user.text("username"):
        raise unusable(
            f"the user {user.name} has a password, which Kubernetes does not accept"
        )
    certificate = user.data("client-certificate")
    key = user.data("client-key")
    if certificate and key:
        return Credentials(_token(user), _files(user, certificate, key))
    return Credentials(_token(user))


def _token(user: Section) -> str:
    file = user.file("tokenFile")
    if file is None:
        return user.text("token")
    try:
        # A cluster renews the token of a pod in this file.
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise unusable(f"tokenFile of {user.name}: {error}") from None


def _from_plugin(context: Context) -> Credentials:
    # Most users have a token.
    from riseml.cluster import exec_plugin  # noqa: PLC0415

    status = exec_plugin.run(context)
    certificate = status.get("clientCertificateData", "").encode()
    key = status.get("clientKeyData", "").encode()
    token = status.get("token", "")
    if certificate and key:
        return Credentials(token, (_private_file(certificate), _private_file(key)))
    if not token:
        command = context.user.section("exec").text("command")
        raise unusable(f"the login command {command} printed no credentials")
    return Credentials(token)


def _files(user: Section, certificate: bytes, key: bytes) -> tuple[str, str]:
    """Return the files of a certificate and of its key, which TLS reads by their paths."""
    paths = []
    for name, data in (("client-certificate", certificate), ("client-key", key)):
        is_inline = bool(user.text(f"{name}-data"))
        file = None if is_inline else user.file(name)
        paths.append(str(file) if file else _private_file(data))
    return paths[0], paths[1]


def _private_file(data: bytes) -> str:
    """Return a file with this content, which is gone when the process ends."""
    file = _private_folder(os.getpid()) / hashlib.sha256(data).hexdigest()
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    return str(file)


@cache
def _private_folder(process: int) -> Path:
    # Most users have no certificate.
    import tempfile  # noqa: PLC0415

    folder = Path(tempfile.mkdtemp(prefix="riseml-"))
    atexit.register(_remove, folder, process)
    return folder


def _remove(folder: Path, process: int) -> None:
    # A forked process has inherited the call.
    if os.getpid() == process:
        import shutil  # noqa: PLC0415

        shutil.rmtree(folder, ignore_errors=True)


def _provider_token(context: Context) -> str:
    """Return the token of an `auth-provider`, the way before exec plug-ins.

    The package of Kubernetes renews it, and writes the new one into the kubeconfig.
    """
    # The import takes 0.2 s.
    from kubernetes import client, config  # noqa: PLC0415

    settings: Any = client.Configuration()
    try:
        config.load_kube_config(context.paths, context.name, settings)
    except Exception as error:  # noqa: BLE001
        # The package and the libraries that it uses raise errors of many kinds.
        raise UnreachableError(
            f"the auth-provider of {context.user.name} gave no token: {error}",
            "Log in to the cluster again, as you do for kubectl.",
        ) from None
    # Releases of the package differ in the name.
    keys = settings.api_key
    authorization = keys.get("BearerToken") or keys.get("authorization") or ""
    return str(authorization).removeprefix("Bearer ").strip()
