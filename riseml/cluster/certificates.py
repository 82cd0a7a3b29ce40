"""The certificates by which BuildKit and its clients know each other.

    authority (its key is thrown away) ──▶ server: Secret SERVER in SYSTEM
                                       └─▶ client: Secret CLIENT in SYSTEM, and a copy for each user

So nobody can issue another one; renewing makes all of them anew.
"""

import base64
import subprocess
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from riseml import labels
from riseml.cluster import SYSTEM
from riseml.cluster.api import Api, Object, path
from riseml.errors import RiseMLError

SERVER, CLIENT = "buildkitd", "riseml-buildkit"
EXPIRES = "riseml.io/expires"
_DAYS, _RENEWED = 3650, 90
_NAMES = (
    f"buildkitd.{SYSTEM}",
    f"buildkitd.{SYSTEM}.svc",
    f"buildkitd.{SYSTEM}.svc.cluster.local",
    "localhost",
)


def are_due(api: Api, now: datetime) -> bool:
    """Whether there are none, or they expire soon."""
    both = [api.find(path("secrets", SYSTEM, name)) for name in (SERVER, CLIENT)]
    told = [
        (each or {}).get("metadata", {}).get("annotations", {}).get(EXPIRES)
        for each in both
    ]
    return any(
        not each or datetime.fromisoformat(each) < now + timedelta(days=_RENEWED)
        for each in told
    )


def secrets(now: datetime) -> list[Object]:
    """Return the Secrets SERVER and CLIENT, with new certificates.

    Raises:
        RiseMLError: there is no `openssl`, or it has failed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _openssl(
            folder,
            "req",
            "-x509",
            "-subj",
            "/CN=riseml",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            str(_DAYS),
        )
        for role, usage in ((SERVER, "serverAuth"), (CLIENT, "clientAuth")):
            extension = f"extendedKeyUsage={usage}\nsubjectAltName={','.join(f'DNS:{each}' for each in _NAMES)}\n"
            (folder / "extension").write_text(extension, "ascii")
            _openssl(
                folder,
                "req",
                "-subj",
                f"/CN={role}",
                "-keyout",
                f"{role}.key",
                "-out",
                f"{role}.csr",
            )
            _run(
                folder,
                *(
                    "x509",
                    "-req",
                    "-in",
                    f"{role}.csr",
                    "-CA",
                    "ca.pem",
                    "-CAkey",
                    "ca.key",
                    "-CAcreateserial",
                ),
                *("-days", str(_DAYS), "-extfile", "extension", "-out", f"{role}.pem"),
            )
        expires = (now + timedelta(days=_DAYS)).isoformat()
        return [_secret(folder, role, expires) for role in (SERVER, CLIENT)]


def copy_for_user(api: Api) -> Object | None:
    """Return the client's Secret as it goes into a user's namespace; None where RiseML is not installed."""
    found = api.find(path("secrets", SYSTEM, CLIENT))
    if found is None:
        return None
    kept = {EXPIRES: found["metadata"].get("annotations", {}).get(EXPIRES, "")}
    metadata = {"name": CLIENT, "annotations": kept}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "data": found["data"],
    }


def distribute(api: Api) -> int:
    """Give the client's Secret to all users there are; return how many."""
    body = copy_for_user(api)
    if body is None:
        return 0
    count = 0
    for user in list(
        api.items(path("namespaces"), metadata=True, labelSelector=labels.USER)
    ):
        count += not _is_going(user) and _give(api, body, user["metadata"]["name"])
    return count


def _give(api: Api, body: Object, place: str) -> bool:
    try:
        api.apply(body, place)
    except RiseMLError:
        now = api.find(path("namespaces", None, place))
        if now is None or _is_going(now):
            return False
        raise
    return True


def _is_going(namespace: Object) -> bool:
    return "deletionTimestamp" in namespace["metadata"]


def _openssl(folder: Path, *words: str) -> None:
    _run(
        folder, *words, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"
    )


def _run(folder: Path, *words: str) -> None:
    try:
        subprocess.run(
            ["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60
        )
    except FileNotFoundError:
        advice = "Install it: BuildKit's certificates are made with it, once."
        raise RiseMLError(
            "there is no program openssl on this machine", advice
        ) from None
    except subprocess.CalledProcessError as error:
        raise RiseMLError(
            f"openssl has failed: {error.stderr.decode(errors='replace').strip()}"
        ) from None


def _secret(folder: Path, role: str, expires: str) -> Object:
    files = {"ca.pem": "ca.pem", "cert.pem": f"{role}.pem", "key.pem": f"{role}.key"}
    data = {
        name: base64.b64encode((folder / file).read_bytes()).decode()
        for name, file in files.items()
    }
    metadata = {"name": role, "namespace": SYSTEM, "annotations": {EXPIRES: expires}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "data": data,
    }
