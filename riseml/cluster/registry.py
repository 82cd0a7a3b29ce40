"""Questions to a registry of images (the OCI distribution API), asked from here, or from a user's store.

A store sees the registry that the cluster sees; this machine can get the token that public registries ask for.
"""

import re
from dataclasses import dataclass

from riseml.cluster.store import StorePod

MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
# What a store's image can ask with: all write the head of the answer, BusyBox' wget of a refusal its first line only,
# and of DELETE nothing at all.
_ASK = """
if command -v curl > /dev/null; then
  case $3 in HEAD) how=-I ;; *) how="-X $3" ;; esac
  curl -ksS $how -D - -o /dev/null --max-time 10 -H "Accept: $2" "$1" 2>&1 || :
elif command -v wget > /dev/null; then
  case $3 in HEAD) how= ;; *) how=--method=$3 ;; esac
  wget -T 10 -S -q -O /dev/null $how --header "Accept: $2" "$1" 2>&1 || :
elif command -v python3 > /dev/null; then python3 -c 'import sys, urllib.error as e, urllib.request as r
asked = r.Request(sys.argv[1], headers={"Accept": sys.argv[2]}, method=sys.argv[3])
try: said = r.urlopen(asked, timeout=10)
except e.HTTPError as error: said = error
except OSError: sys.exit()
print("HTTP/1.1", said.status)
print(said.headers)' "$@"
else echo cannot; fi
"""
_HUB, _HUB_API = (
    "docker.io",
    "index.docker.io",
)  # where an image is whose name has no registry
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
# HTTP statuses after DELETE
_GONE = (200, 202, 404)
# Seconds
_CONNECT, _READ = 2.0, 5.0
_STATUS = re.compile(r"HTTP/[0-9.]+ (\d{3})")
_EXACT = re.compile(r"sha256:[0-9a-f]{64}")
_DIGEST = re.compile(
    r"^\s*docker-content-digest: *(sha256:[0-9a-f]{64})\s*$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class Answer:
    """What a registry has said: the HTTP status, 0 for nothing at all, and the digest of what was asked for, if told.

    `asked` is False where nothing in the store can ask by HTTP.
    """

    status: int = 0
    digest: str = ""
    asked: bool = True


def url(registry: str, what: str = "", *, insecure: bool) -> str:
    """Return the address of something in a registry; `what` is such as `me/mnist/manifests/latest`."""
    return f"{'http' if insecure else 'https'}://{registry}/v2/{what}"


def ask(store: StorePod, address: str) -> Answer:
    """Ask whether something is there.

    Raises:
        UnreachableError: there is no store.
    """
    return _said(store, address, "HEAD")


def forget(store: StorePod, address: str) -> bool:
    """Delete a manifest; return whether it is gone. Its layers go when the registry collects its garbage.

    Raises:
        UnreachableError: there is no store.
    """
    return _said(store, address, "DELETE").status in _GONE


def _said(store: StorePod, address: str, method: str) -> Answer:
    said = store.script(_ASK, address, MANIFESTS, method).decode(errors="replace")
    if said.strip() == "cannot":
        return Answer(asked=False)
    statuses, digest = _STATUS.findall(said), _DIGEST.search(said)
    return Answer(int(statuses[-1]) if statuses else 0, digest[1] if digest else "")


def manifest(image: str) -> tuple[str, str]:
    """Return the registry of an image, and how its manifest is called there.

    Docker's rules: the first part of the name is a registry if it has a dot or a colon, or is `localhost`.
    """
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    has_registry = bool(slash) and (
        bool({".", ":"} & set(first)) or first == "localhost"
    )
    registry, path = (first, rest) if has_registry else (_HUB, name)
    if registry == _HUB:
        registry, path = _HUB_API, path if "/" in path else f"library/{path}"
    path, _, tag = path.partition(":")
    return registry, f"{path}/manifests/{digest or tag or 'latest'}"


def digest_from_here(address: str) -> str:
    """Return the digest of a manifest, asked by this machine with no more rights than anyone has; empty if not told."""
    import requests  # noqa: PLC0415

    headers = {"Accept": MANIFESTS}
    with requests.Session() as session:
        try:
            said = session.head(
                address,
                headers=headers,
                timeout=(_CONNECT, _READ),
                allow_redirects=True,
            )
            challenge = said.headers.get("WWW-Authenticate", "")
            if said.status_code == requests.codes.unauthorized and challenge.startswith(
                "Bearer "
            ):
                asked = dict(_CHALLENGE.findall(challenge))
                realm = asked.pop("realm")
                told = session.get(
                    realm, params=asked, timeout=(_CONNECT, _READ)
                ).json()
                headers["Authorization"] = (
                    f"Bearer {told.get('token') or told['access_token']}"
                )
                said = session.head(
                    address,
                    headers=headers,
                    timeout=(_CONNECT, _READ),
                    allow_redirects=True,
                )
        except (
            requests.RequestException,
            ValueError,
            KeyError,
        ):  # what answers there is no registry
            return ""
    found = _EXACT.fullmatch(said.headers.get("Docker-Content-Digest", ""))
    return found[0] if found and said.ok else ""
