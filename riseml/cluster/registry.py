"""Requests to a registry of images (the OCI distribution API).

They are sent by a user's store, which reaches the registries that the cluster reaches,
or by this machine, which can get the token that public registries require.
"""

import re
from typing import TYPE_CHECKING

from riseml.cluster.store import StorePod
from riseml.dataclass import dataclass

if TYPE_CHECKING:
    from requests import Response, Session

MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.v2",
    )
)
_NO_CLIENT = "cannot"
# The store's image may contain any of these clients. All of them write the head of the
# answer, except that BusyBox' wget writes only the first line of a refusal, and nothing
# after DELETE.
_REQUEST = """
if command -v curl > /dev/null; then
  case $3 in HEAD) method=-I ;; *) method="-X $3" ;; esac
  curl -ksS $method -D - -o /dev/null --max-time 10 -H "Accept: $2" "$1" 2>&1 || :
elif command -v wget > /dev/null; then
  case $3 in HEAD) method= ;; *) method=--method=$3 ;; esac
  wget -T 10 -S -q -O /dev/null $method --header "Accept: $2" "$1" 2>&1 || :
elif command -v python3 > /dev/null; then python3 -c 'import sys, urllib.error as e, urllib.request as r
request = r.Request(sys.argv[1], headers={"Accept": sys.argv[2]}, method=sys.argv[3])
try: response = r.urlopen(request, timeout=10)
except e.HTTPError as error: response = error
except OSError: sys.exit()
print("HTTP/1.1", response.status)
print(response.headers)' "$@"
else echo cannot; fi
"""
# An image whose name has no registry is at Docker Hub, whose API has another host.
_DOCKER_HUB, _DOCKER_HUB_API = "docker.io", "index.docker.io"
# Statuses after DELETE that mean that the manifest does not exist any more.
_DELETED = (200, 202, 404)
_HOST = re.compile(r"localhost|.*[.:].*")
_CONNECT_SECONDS, _READ_SECONDS = 2.0, 5.0
_STATUS = re.compile(r"HTTP/[0-9.]+ (\d{3})")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DIGEST_HEADER = re.compile(
    r"^\s*docker-content-digest: *(sha256:[0-9a-f]{64})\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    """Answer of a registry: the HTTP status, and the digest of a manifest.

    The status is 0 if the registry did not answer, and the digest is empty if it sent
    none. `has_client` is False if the store contains no HTTP client.
    """

    status: int = 0
    digest: str = ""
    has_client: bool = True


def url(registry: str, resource: str = "", *, insecure: bool) -> str:
    """Return the URL of a resource such as `me/mnist/manifests/latest`."""
    scheme = "http" if insecure else "https"
    return f"{scheme}://{registry}/v2/{resource}"


def ask(store: StorePod, address: str) -> Answer:
    """Return a registry's answer to a HEAD request from the store.

    Raises:
        UnreachableError: the store does not answer.
    """
    return _request(store, address, "HEAD")


def forget(store: StorePod, address: str) -> bool:
    """Delete a manifest, and return whether it is gone.

    Its layers remain until the registry collects its garbage.

    Raises:
        UnreachableError: the store does not answer.
    """
    return _request(store, address, "DELETE").status in _DELETED


def manifest(image: str) -> tuple[str, str]:
    """Return the registry of an image, and the path of its manifest there.

    Docker's rules apply: the first part of a name is a registry if it contains a dot or
    a colon, or is `localhost`.
    """
    name, _, digest = image.partition("@")
    first, slash, remainder = name.partition("/")
    registry, path = _DOCKER_HUB, name
    if slash and _HOST.fullmatch(first):
        registry, path = first, remainder
    if registry == _DOCKER_HUB:
        registry = _DOCKER_HUB_API
        # Official images have one-word names.
        path = path if "/" in path else f"library/{path}"
    path, _, tag = path.partition(":")
    return registry, f"{path}/manifests/{digest or tag or 'latest'}"


def digest_from_here(address: str) -> str:
    """Return the digest of a manifest that anyone may read, requested by this machine.

    It is empty if the registry does not tell it.
    """
    # Only images without a digest need it, and the import takes 0.1 s.
    import requests  # noqa: PLC0415

    headers = {"Accept": MANIFESTS}
    with requests.Session() as session:
        try:
            response = _head(session, address, headers)
            challenge = response.headers.get("WWW-Authenticate", "")
            is_unauthorized = response.status_code == requests.codes.unauthorized
            if is_unauthorized and challenge.startswith("Bearer "):
                token = _anonymous_token(session, challenge)
                headers["Authorization"] = f"Bearer {token}"
                response = _head(session, address, headers)
        except (requests.RequestException, ValueError, KeyError):
            # The server is not a registry, or does not answer.
            return ""
    digest = response.headers.get("Docker-Content-Digest", "")
    if not response.ok or not _DIGEST.fullmatch(digest):
        return ""
    return digest


def _head(session: "Session", address: str, headers: dict[str, str]) -> "Response":
    return session.head(
        address,
        headers=headers,
        timeout=(_CONNECT_SECONDS, _READ_SECONDS),
        allow_redirects=True,
    )


def _anonymous_token(session: "Session", challenge: str) -> str:
    """Return the token that a public registry gives to anyone."""
    parameters = dict(_CHALLENGE.findall(challenge))
    realm = parameters.pop("realm")
    timeout = (_CONNECT_SECONDS, _READ_SECONDS)
    answer = session.get(realm, params=parameters, timeout=timeout).json()
    return str(answer.get("token") or answer["access_token"])


def _request(store: StorePod, address: str, method: str) -> Answer:
    output = store.script(_REQUEST, address, MANIFESTS, method).decode(errors="replace")
    if output.strip() == _NO_CLIENT:
        return Answer(has_client=False)
    # After redirects, the last head is that of the registry.
    statuses = _STATUS.findall(output)
    digest = _DIGEST_HEADER.search(output)
    return Answer(
        status=int(statuses[-1]) if statuses else 0,
        digest=digest[1] if digest else "",
    )
