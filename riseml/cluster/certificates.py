"""Certificates by which BuildKit and its clients authenticate each other.

    authority (its key is discarded) ──▶ server: Secret SERVER in SYSTEM
                                     └─▶ client: Secret CLIENT in SYSTEM, with a copy
                                                 in each user's namespace

Without the authority's key nobody can issue another certificate. A renewal therefore
replaces all of them.
"""

import base64
import subprocess
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from riseml.cluster import SYSTEM, user_copies
from riseml.cluster.api import Api, Object, path
from riseml.errors import RiseMLError

SERVER, CLIENT = "buildkitd", "riseml-buildkit"
EXPIRES = "riseml.io/expires"
"""Annotation of both Secrets: when the certificates expire."""

_VALIDITY = timedelta(days=3650)
# `riseml system upgrade` renews them, and administrators run that only now and then.
_RENEWAL = timedelta(days=90)
_OPENSSL_SECONDS = 60
_HOST_NAMES = (
    f"buildkitd.{SYSTEM}",
    f"buildkitd.{SYSTEM}.svc",
    f"buildkitd.{SYSTEM}.svc.cluster.local",
    "localhost",
)
_DAYS = ("-days", str(_VALIDITY.days))
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def are_due(api: Api, now: datetime) -> bool:
    """Return whether certificates are missing or expire soon."""
    for name in (SERVER, CLIENT):
        secret = api.find(path("secrets", SYSTEM, name)) or {}
        expires = secret.get("metadata", {}).get("annotations", {}).get(EXPIRES)
        if not expires or datetime.fromisoformat(expires) < now + _RENEWAL:
            return True
    return False


def secrets(now: datetime) -> list[Object]:
    """Return the Secrets SERVER and CLIENT with new certificates.

    Raises:
        RiseMLError: `openssl` is not installed, or failed.
    """
    expires = (now + _VALIDITY).isoformat()
    # The authority's key is deleted with the folder.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _create_authority(folder)
        objects = []
        for role, usage in ((SERVER, "serverAuth"), (CLIENT, "clientAuth")):
            _create_certificate(folder, role, usage)
            objects.append(_secret(folder, role, expires))
        return objects


def copy_for_user(api: Api) -> Object | None:
    """Return the Secret CLIENT for a user's namespace; None if RiseML is not installed."""
    secret = api.find(path("secrets", SYSTEM, CLIENT))
    if secret is None:
        return None
    expires = secret["metadata"].get("annotations", {}).get(EXPIRES, "")
    return _secret_object(CLIENT, {EXPIRES: expires}, secret["data"])


def distribute(api: Api) -> None:
    """Copy the Secret CLIENT into the namespaces of all users."""
    body = copy_for_user(api)
    if body is not None:
        user_copies.distribute(api, [body])


def _create_authority(folder: Path) -> None:
    subject = ("-subj", "/CN=riseml")
    files = ("-keyout", "ca.key", "-out", "ca.pem")
    _openssl(folder, "req", "-x509", *subject, *files, *_DAYS, *_NEW_KEY)


def _create_certificate(folder: Path, role: str, usage: str) -> None:
    names = ",".join(f"DNS:{name}" for name in _HOST_NAMES)
    extension = f"extendedKeyUsage={usage}\nsubjectAltName={names}\n"
    (folder / "extension").write_text(extension, "ascii")
    request, certificate = f"{role}.csr", f"{role}.pem"
    subject = ("-subj", f"/CN={role}", "-keyout", f"{role}.key")
    _openssl(folder, "req", *subject, "-out", request, *_NEW_KEY)
    authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    files = ("-in", request, "-extfile", "extension", "-out", certificate)
    _openssl(folder, "x509", "-req", *authority, *files, *_DAYS)


def _openssl(folder: Path, *arguments: str) -> None:
    command = ["openssl", *arguments]
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=_OPENSSL_SECONDS,
        )
    except FileNotFoundError:
        raise RiseMLError(
            "openssl is not installed on this machine",
            "Install it: `riseml system install` creates BuildKit's certificates with it.",
        ) from None
    except subprocess.CalledProcessError as error:
        output = error.stderr.decode(errors="replace").strip()
        raise RiseMLError(f"openssl failed: {output}") from None


def _secret(folder: Path, role: str, expires: str) -> Object:
    files = {"ca.pem": "ca.pem", "cert.pem": f"{role}.pem", "key.pem": f"{role}.key"}
    data = {}
    for key, file in files.items():
        data[key] = base64.b64encode((folder / file).read_bytes()).decode()
    secret = _secret_object(role, {EXPIRES: expires}, data)
    secret["metadata"]["namespace"] = SYSTEM
    return secret


def _secret_object(
    name: str, annotations: dict[str, str], data: dict[str, Any]
) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "annotations": annotations},
        "type": "Opaque",
        "data": data,
    }
