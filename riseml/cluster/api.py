"""Kubernetes API: JSON in, JSON out, with RiseML's errors.

Paths are those of the API's reference; `path` builds them for the kinds that RiseML
uses.
"""

import json
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Retry, Timeout

import riseml
from riseml.cluster.api_errors import ConflictError, refusal, unreachable
from riseml.cluster.connection import Connection
from riseml.errors import NotFoundError, UnreachableError

Object = dict[str, Any]

# Server-side apply records this name as the owner of the fields that it sets.
MANAGER = "riseml"
CACHED = "0"
"""resourceVersion of lists that the API server answers from memory, milliseconds old."""

# Larger pages delay the first object, smaller ones need more requests.
_PAGE_SIZE = 500
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 60.0
# Only connections are retried: after that, the server may have executed the request.
_CONNECT_RETRIES = 2
_CHUNK_BYTES = 1 << 16
_FIRST_ERROR_STATUS = 400

_CORE, _APPS, _RBAC = "/api/v1", "/apis/apps/v1", "/apis/rbac.authorization.k8s.io/v1"
_KINDS_BY_GROUP: Mapping[str, tuple[str, ...]] = {
    _CORE: (
        "pods",
        "secrets",
        "configmaps",
        "services",
        "serviceaccounts",
        "persistentvolumeclaims",
        "events",
        "resourcequotas",
        "limitranges",
        "namespaces",
        "nodes",
        "persistentvolumes",
    ),
    _APPS: ("deployments", "daemonsets"),
    "/apis/batch/v1": ("jobs",),
    "/apis/networking.k8s.io/v1": ("networkpolicies",),
    "/apis/argoproj.io/v1alpha1": ("workflows", "workflowtaskresults"),
    _RBAC: ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    "/apis/storage.k8s.io/v1": ("storageclasses",),
}
_GROUPS = {
    plural: group for group, kinds in _KINDS_BY_GROUP.items() for plural in kinds
}
_CLUSTER_KINDS = frozenset({
    "Namespace", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass",
    "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
})  # fmt: skip


def path(plural: str, namespace: str | None = None, name: str | None = None) -> str:
    """Return the path of the objects of a kind, or of the one called `name`.

    Without `namespace`, it is the path of the objects of all namespaces.
    """
    parts = [_GROUPS[plural]]
    if namespace:
        parts += ["namespaces", namespace]
    parts.append(plural)
    if name:
        parts.append(name)
    return "/".join(parts)


def path_of(body: Mapping[str, Any], namespace: str | None = None) -> str:
    """Return the path of the object that `body` describes.

    `namespace` is used for an object that names no namespace of its own.
    """
    kind, version, metadata = body["kind"], body["apiVersion"], body["metadata"]
    namespace = metadata.get("namespace", namespace)
    # The core group has a version, but no name.
    parts = ["/apis" if "/" in version else "/api", version]
    if namespace and kind not in _CLUSTER_KINDS:
        parts += ["namespaces", namespace]
    parts += [_plural(kind), metadata["name"]]
    return "/".join(parts)


def _plural(kind: str) -> str:
    name = kind.lower()
    if name.endswith("y"):
        return f"{name.removesuffix('y')}ies"
    if name.endswith("s"):
        return f"{name}es"
    return f"{name}s"


class Api:
    """API server of a cluster, for one user. Threads may share it, and forked processes."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pools: dict[int, urllib3.PoolManager] = {}

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS settings, which always verify the server's certificate."""
        context = ssl.create_default_context(cadata=self.connection.authority or None)
        # The authorities of clusters omit extensions that RFC 5280 requires.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.connection.certificate:
            context.load_cert_chain(*self.connection.certificate)
        return context

    @property
    def headers(self) -> dict[str, str]:
        """The headers that identify the client and the user in every request."""
        headers = {"User-Agent": f"riseml/{riseml.__version__}"}
        if self.connection.token:
            headers["Authorization"] = f"Bearer {self.connection.token}"
        return headers

    @property
    def _pool(self) -> urllib3.PoolManager:
        """The connections of this process.

        On a shared one, a forked process and its parent would read each other's answers.
        """
        process = os.getpid()
        if process not in self._pools:
            self._pools[process] = self._new_pool()
        return self._pools[process]

    def _new_pool(self) -> urllib3.PoolManager:
        retries = Retry(
            total=None,
            connect=_CONNECT_RETRIES,
            read=False,
            status=0,
            other=0,
            redirect=0,
            backoff_factor=0.2,
        )
        return urllib3.PoolManager(ssl_context=self.tls, maxsize=16, retries=retries)

    # Read

    def get(self, url_path: str, **query: Any) -> Object:
        """Return one object, or one page of a list.

        Raises:
            NotFoundError: the object does not exist.
        """
        return self._request("GET", url_path, query=query)

    def find(self, url_path: str, **query: Any) -> Object | None:
        """Return one object, or None if it does not exist."""
        try:
            return self.get(url_path, **query)
        except NotFoundError:
            return None

    def items(
        self, url_path: str, *, metadata: bool = False, **query: Any
    ) -> Iterator[Object]:
        """Yield the objects of a list, which is fetched in pages.

        With `metadata`, the objects contain only their metadata.
        """
        accept = "application/json"
        if metadata:
            accept += ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        # The API server returns lists from its memory at once: pages have no use there.
        is_cached = query.get("resourceVersion") == CACHED
        query.setdefault("limit", 0 if is_cached else _PAGE_SIZE)
        while True:
            page = self._request(
                "GET", url_path, query=query, headers={"Accept": accept}
            )
            yield from page.get("items") or ()
            next_page = page["metadata"].get("continue")
            if not next_page:
                return
            query["continue"] = next_page

    def watch(
        self, url_path: str, *, version: str = "", seconds: int = 300, **query: Any
    ) -> Iterator[tuple[str, Object]]:
        """Yield the changes of a list since a resourceVersion, for at most `seconds`.

        A change is a type (`ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`, `ERROR`) and an
        object.

        Raises:
            UnreachableError: the connection broke; the caller should list again.
        """
        query |= {
            "watch": "true",
            "timeoutSeconds": seconds,
            "allowWatchBookmarks": "true",
        }
        if version:
            query["resourceVersion"] = version
        response = self.open(url_path, timeout=seconds + _READ_SECONDS, **query)
        incomplete = b""
        for chunk in _chunks(response):
            *lines, incomplete = (incomplete + chunk).split(b"\n")
            for line in filter(None, lines):
                event = json.loads(line)
                yield event["type"], event["object"]

    def open(
        self, url_path: str, *, timeout: float = _READ_SECONDS, **query: Any
    ) -> Any:
        """Return an open response, whose body the caller reads and closes."""
        return self._send("GET", url_path, query=query, preload=False, timeout=timeout)

    # Write

    def create(self, url_path: str, body: Mapping[str, Any], **query: Any) -> Object:
        """Create an object in a list, and return it.

        Raises:
            ConflictError: it exists already.
        """
        return self._request("POST", url_path, body=body, query=query)

    def ensure(self, url_path: str, body: Mapping[str, Any]) -> bool:
        """Create an object unless it exists; return whether it is new."""
        try:
            self.create(url_path, body)
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
        """Create or change an object with server-side apply, and return it.

        Fields that `body` does not contain keep the values that others have set.
        """
        query: dict[str, Any] = {"fieldManager": MANAGER, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        # The API accepts this type only for YAML; JSON is a subset of it.
        headers = {"Content-Type": "application/apply-patch+yaml"}
        url_path = path_of(body, namespace)
        return self._request("PATCH", url_path, body=body, query=query, headers=headers)

    def patch(self, url_path: str, body: Mapping[str, Any]) -> Object:
        """Merge `body` into an object, and return it; None removes a field.

        With `metadata.resourceVersion`, the patch applies to that version only.

        Raises:
            ConflictError: the object has another resourceVersion by now.
        """
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._request("PATCH", url_path, body=body, headers=headers)

    def update(
        self, url_path: str, change: Callable[[Object], Mapping[str, Any]]
    ) -> Object:
        """Patch an object with what `change` returns for it.

        `change` is called again if another client changed the object in between.
        """
        while True:
            current = self.get(url_path)
            body = dict(change(current))
            version = current["metadata"]["resourceVersion"]
            metadata = {**body.get("metadata", {}), "resourceVersion": version}
            try:
                return self.patch(url_path, {**body, "metadata": metadata})
            except ConflictError:
                continue

    def delete(
        self, url_path: str, *, query: Mapping[str, Any] | None = None, **options: Any
    ) -> bool:
        """Delete an object, or the objects of a list; return whether it existed.

        `query` selects objects of a list (`labelSelector`); without it, all are deleted.
        `options` are fields of DeleteOptions.
        """
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        try:
            self._request("DELETE", url_path, body=body, query=query)
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
        """Return whether the user has a right (SelfSubjectAccessReview)."""
        attributes = {
            "verb": verb,
            "resource": resource,
            "namespace": namespace,
            "group": group,
        }
        if subresource:
            attributes["subresource"] = subresource
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        review = self.create(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body
        )
        return bool(review["status"].get("allowed"))

    # Requests

    def _request(self, method: str, url_path: str, **options: Any) -> Object:
        response = self._send(method, url_path, **options)
        answer: Object = json.loads(response.data or b"{}")
        return answer

    def _send(
        self,
        method: str,
        url_path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        preload: bool = True,
        timeout: float = _READ_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        url = self.connection.server + url_path
        if query:
            url += f"?{urlencode(query)}"
        all_headers = {**self.headers, "Accept": "application/json"}
        data = None
        if body is not None:
            all_headers["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        all_headers.update(headers or {})
        try:
            response = self._pool.request(
                method,
                url,
                body=data,
                headers=all_headers,
                timeout=Timeout(connect=_CONNECT_SECONDS, read=timeout),
                preload_content=preload,
            )
        except HTTPError as error:
            raise unreachable(error, self.connection) from None
        if response.status >= _FIRST_ERROR_STATUS:
            content = response.data if preload else response.read()
            raise refusal(response.status, content, self.connection)
        return response


def _chunks(response: Any) -> Iterator[bytes]:
    """Yield the body of an open response as it arrives."""
    try:
        yield from response.stream(_CHUNK_BYTES, decode_content=True)
    except (HTTPError, OSError) as error:
        raise UnreachableError(
            f"the connection to the cluster broke: {error}"
        ) from None
    finally:
        response.close()


def data_of(api: Api, url_path: str) -> dict[str, str]:
    """Return the data of a ConfigMap or Secret, none if it does not exist."""
    body = api.find(url_path) or {}
    # Data may be null after its last key was removed.
    return body.get("data") or {}
