"""The Kubernetes API: JSON in, JSON out, and errors in RiseML's words.

Paths are as the API's reference writes them; `path` makes those of the kinds that RiseML knows.
"""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, SSLError
from urllib3.util import Retry, Timeout

import riseml
from riseml.cluster.connection import Connection
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError, UnreachableError

Object = dict[str, Any]

# Who server-side apply says has set a field
MANAGER = "riseml"
CACHED = "0"
"""The resourceVersion of lists that the API server answers from memory: they may be a few milliseconds old."""

# Objects of a list that come at once
PAGE = 500
# Seconds
_CONNECT, _READ = 5.0, 60.0
# Of a connection that breaks before anything was answered
_TRIES = 2

_CORE, _APPS, _RBAC = "/api/v1", "/apis/apps/v1", "/apis/rbac.authorization.k8s.io/v1"
_GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    _CORE: (
        "namespaced",
        ("pods", "secrets", "configmaps", "services", "serviceaccounts", "persistentvolumeclaims", "events",
         "resourcequotas", "limitranges"),
    ),
    _APPS: ("namespaced", ("deployments", "daemonsets")),
    "/apis/batch/v1": ("namespaced", ("jobs",)),
    "/apis/networking.k8s.io/v1": ("namespaced", ("networkpolicies",)),
    "/apis/argoproj.io/v1alpha1": ("namespaced", ("workflows", "workflowtaskresults")),
    _RBAC: ("both", ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
    "/apis/storage.k8s.io/v1": ("cluster", ("storageclasses",)),
}  # fmt: skip
_CLUSTER = {"namespaces": _CORE, "nodes": _CORE, "persistentvolumes": _CORE}


class ConflictError(RiseMLError):
    """Somebody else was faster, or it is there already."""


class RefusedError(RiseMLError):
    """The API server takes the request for wrong, or forbids what it asks for by policy, with its reasons."""


_MEANING: Mapping[int, type[RiseMLError]] = {404: NotFoundError, 409: ConflictError}
_POLICIES = (
    "exceeded quota",
    "violates PodSecurity",
    "denied",
)  # in a 403 that is no question of rights


def path(plural: str, namespace: str | None = None, name: str | None = None) -> str:
    """Return the path of a kind's objects, in one namespace or (None) in all, or of the one called `name`."""
    group = _CLUSTER.get(plural) or next(
        group for group, (_, kinds) in _GROUPS.items() if plural in kinds
    )
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{place}/{plural}" + (f"/{name}" if name else "")


def path_of(body: Mapping[str, Any], namespace: str | None = None) -> str:
    """Return the path of the object that `body` describes; `namespace` is where it goes if it does not say."""
    kind, version = body["kind"], body["apiVersion"]
    plural = kind.lower() + (
        "ies" if kind.endswith("y") else "es" if kind.endswith("s") else "s"
    )
    plural = plural.replace("yies", "ies")
    group = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    place = body["metadata"].get("namespace", namespace)
    is_global = kind in {
        "Namespace", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass",
        "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
    }  # fmt: skip
    middle = f"/namespaces/{place}" if place and not is_global else ""
    return f"{group}{middle}/{plural}/{body['metadata']['name']}"


class Api:
    """A cluster's API server, asked as one user. Threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What the server's certificate is checked with, always."""
        context = ssl.create_default_context(cadata=self.connection.authority or None)
        context.verify_flags &= (
            ~ssl.VERIFY_X509_STRICT
        )  # clusters' own authorities leave out what RFC 5280 wants
        if self.connection.certificate:
            context.load_cert_chain(*self.connection.certificate)
        return context

    @property
    def headers(self) -> dict[str, str]:
        """What every request says of who asks."""
        told = {"User-Agent": f"riseml/{riseml.__version__}"}
        if self.connection.token:
            told["Authorization"] = f"Bearer {self.connection.token}"
        return told

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        retries = Retry(
            total=None,
            connect=_TRIES,
            read=False,
            status=0,
            other=0,
            redirect=0,
            backoff_factor=0.2,
        )
        return urllib3.PoolManager(ssl_context=self.tls, maxsize=16, retries=retries)

    # Read

    def get(self, at: str, **query: Any) -> Object:
        """Return one object, or a list as it is."""
        return self._ask("GET", at, query=query)

    def find(self, at: str, **query: Any) -> Object | None:
        """Return one object, None where there is none."""
        try:
            return self.get(at, **query)
        except NotFoundError:
            return None

    def items(
        self, at: str, *, metadata: bool = False, **query: Any
    ) -> Iterator[Object]:
        """Yield the objects of a list, a page at a time; with `metadata` no more of each than that."""
        accept = (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
            if metadata
            else "application/json"
        )
        query.setdefault("limit", 0 if query.get("resourceVersion") == CACHED else PAGE)
        while True:
            page = self._ask("GET", at, query=query, headers={"Accept": accept})
            yield from page.get("items") or ()
            following = page["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    def watch(
        self, at: str, *, version: str = "", seconds: int = 300, **query: Any
    ) -> Iterator[tuple[str, Object]]:
        """Yield (`ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`, `ERROR`; object) from a version on, at most so long.

        Raises:
            UnreachableError: the connection broke; whoever watches goes on with a new look.
        """
        query |= {
            "watch": "true",
            "timeoutSeconds": seconds,
            "allowWatchBookmarks": "true",
        }
        if version:
            query["resourceVersion"] = version
        response = self.open(at, timeout=seconds + _READ, **query)
        rest = b""
        for piece in _pieces(response):
            *lines, rest = (rest + piece).split(b"\n")
            for line in filter(None, lines):
                event = json.loads(line)
                yield event["type"], event["object"]

    def open(self, at: str, *, timeout: float = _READ, **query: Any) -> Any:
        """Return the open response of a request that answers bit by bit; `_pieces` or `read1` read it."""
        return self._send("GET", at, query=query, preload=False, timeout=timeout)

    # Write

    def create(self, at: str, body: Mapping[str, Any], **query: Any) -> Object:
        """Create an object in the list `at`.

        Raises:
            ConflictError: it is there already.
        """
        return self._ask("POST", at, body=body, query=query)

    def ensure(self, at: str, body: Mapping[str, Any]) -> bool:
        """Create an object unless it is there; return whether it is new."""
        try:
            self.create(at, body)
        except ConflictError:
            return False
        return True

    def apply(
        self,
        body: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """Make the object as `body` says and keep what others have set in it (server-side apply)."""
        query: dict[str, Any] = {"fieldManager": MANAGER, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        # JSON is YAML
        kind = {"Content-Type": "application/apply-patch+yaml"}
        return self._ask(
            "PATCH", path_of(body, namespace), body=body, query=query, headers=kind
        )

    def patch(self, at: str, body: Mapping[str, Any]) -> Object:
        """Merge `body` into an object; None takes a field away.

        A `metadata.resourceVersion` in it makes it optimistic.

        Raises:
            ConflictError: the object has another resourceVersion by now.
        """
        return self._ask(
            "PATCH",
            at,
            body=body,
            headers={"Content-Type": "application/merge-patch+json"},
        )

    def update(self, at: str, change: Callable[[Object], Mapping[str, Any]]) -> Object:
        """Patch an object by what `change` makes of it as it is, again if somebody else was faster."""
        while True:
            before = self.get(at)
            body = dict(change(before))
            body["metadata"] = {
                **body.get("metadata", {}),
                "resourceVersion": before["metadata"]["resourceVersion"],
            }
            try:
                return self.patch(at, body)
            except ConflictError:
                continue

    def delete(self, at: str, **options: Any) -> bool:
        """Delete an object; return whether there was one."""
        try:
            self._ask(
                "DELETE",
                at,
                body={"apiVersion": "v1", "kind": "DeleteOptions", **options},
            )
        except NotFoundError:
            return False
        return True

    def may(
        self,
        verb: str,
        resource: str,
        namespace: str,
        *,
        group: str = "",
        subresource: str = "",
    ) -> bool:
        """Whether whoever asks may do something (SelfSubjectAccessReview)."""
        wanted = {
            "verb": verb,
            "resource": resource,
            "namespace": namespace,
            "group": group,
        }
        if subresource:
            wanted["subresource"] = subresource
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        answer = self.create(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body
        )
        return bool(answer["status"].get("allowed"))

    # How it is done

    def _ask(self, method: str, at: str, **request: Any) -> Object:
        answer: Object = json.loads(self._send(method, at, **request).data or b"{}")
        return answer

    def _send(
        self,
        method: str,
        at: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        preload: bool = True,
        timeout: float = _READ,
    ) -> urllib3.BaseHTTPResponse:
        url = self.connection.server + at + (f"?{urlencode(query)}" if query else "")
        told = {**self.headers, "Accept": "application/json"}
        data = None
        if body is not None:
            told["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        told.update(headers or {})
        limit = Timeout(connect=_CONNECT, read=timeout)
        try:
            response = self._pool.request(
                method,
                url,
                body=data,
                headers=told,
                timeout=limit,
                preload_content=preload,
            )
        except HTTPError as error:
            raise self._unreachable(error) from None
        if response.status >= 400:  # noqa: PLR2004
            raise refusal(
                response.status,
                response.read() if not preload else response.data,
                self.connection,
            )
        return response

    def _unreachable(self, error: HTTPError) -> UnreachableError:
        cause: BaseException = (
            error.reason if isinstance(error, MaxRetryError) and error.reason else error
        )
        where = self.connection.server
        if isinstance(cause, SSLError):
            return UnreachableError(
                f"the cluster at {where} is not the one of this key: {cause}",
                "Ask your administrator for a new API key, and use it with `riseml user login`.",
            )
        words = (
            "refuses connections"
            if isinstance(cause, NewConnectionError)
            else "does not answer"
        )
        detail = str(cause).rpartition(": ")[2]
        return UnreachableError(
            f"the cluster at {where} {words} ({detail})",
            "Is the network up? Try again later.",
        )


def refusal(status: int, data: bytes, connection: Connection) -> RiseMLError:
    """Return the error for an answer of 400 and above."""
    try:
        message = str(json.loads(data).get("message") or "")
    except ValueError:
        message = data[:200].decode(errors="replace").strip()
    if status == 401:  # noqa: PLR2004
        return NotAllowedError(
            f"the cluster at {connection.server} does not accept this key",
            "It may have been withdrawn: ask your administrator, and use the new one with `riseml user login`.",
        )
    if status == 403 and not any(words in message for words in _POLICIES):  # noqa: PLR2004
        return NotAllowedError(
            f"not allowed: {message}", "Your administrator can say what you may do."
        )
    if status in _MEANING:
        return _MEANING[status](message or f"the cluster answers {status}")
    if status in {429, 500, 502, 503, 504}:
        return UnreachableError(
            f"the cluster at {connection.server} cannot answer now: {message or status}"
        )
    return RefusedError(message or f"the cluster answers {status}")


def _pieces(response: Any) -> Iterator[bytes]:
    """Yield what an open response brings, as it comes."""
    try:
        yield from response.stream(1 << 16, decode_content=True)
    except (HTTPError, OSError) as error:
        raise UnreachableError(
            f"the connection to the cluster broke: {error}"
        ) from None
    finally:
        response.close()
