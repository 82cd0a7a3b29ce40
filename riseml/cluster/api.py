"""Kubernetes API: JSON in, JSON out, with RiseML's errors.

Paths are those of the API's reference (`riseml.cluster.api_paths`).
"""

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

import riseml
from riseml.cluster import tls_settings
from riseml.cluster.api_errors import (
    ConflictError,
    NotAuthenticatedError,
    refusal,
    unreachable,
)
from riseml.cluster.api_paths import Object, name_of, path, path_of
from riseml.cluster.clock import ClusterClock
from riseml.cluster.connection import Connection, renewed
from riseml.cluster.transport import Response, Transport, TransportError
from riseml.errors import NotFoundError, UnreachableError

# Modules that send requests also need the paths.
__all__ = [
    "CACHED",
    "MANAGER",
    "Api",
    "Object",
    "data_of",
    "is_served",
    "name_of",
    "path",
    "path_of",
]

_T = TypeVar("_T")
# Server-side apply records this name as the owner of the fields that it sets.
MANAGER = "riseml"
CACHED = "0"
"""resourceVersion of lists that the API server answers from memory, milliseconds old."""

# Larger pages delay the first object, smaller ones need more requests.
_PAGE_SIZE = 500
_READ_SECONDS = 60.0
_CHUNK_BYTES = 1 << 16
_FIRST_ERROR_STATUS = 400


class Api:
    """API server of a cluster, for one user. Threads may share it, and forked processes."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.clock = connection, ClusterClock()
        self._transports: dict[int, Transport] = {}
        self._tls: ssl.SSLContext | None = None
        self._renewal = threading.Lock()

    @property
    def tls(self) -> ssl.SSLContext:
        """The TLS settings, which always verify the server's certificate."""
        # Another thread may renew the credentials meanwhile.
        context = self._tls or tls_settings.of(self.connection)
        self._tls = context
        return context

    @property
    def headers(self) -> dict[str, str]:
        """The headers that identify the client and the user in every request."""
        headers = {"User-Agent": f"riseml/{riseml.__version__}"}
        if self.connection.token:
            headers["Authorization"] = f"Bearer {self.connection.token}"
        return headers

    def with_renewal(self, send: Callable[[], _T]) -> _T:
        """Return what `send` returns; it is called again where the credentials had ended.

        Raises:
            RiseMLError: the request fails, or the user has to log in to the cluster again.
        """
        used = self.connection
        try:
            return send()
        except NotAuthenticatedError:
            # Tokens of an organization hold for minutes or hours.
            if not self._renew(used):
                raise
        return send()

    def _renew(self, used: Connection) -> bool:
        """Replace credentials that the server does not accept any more.

        `used` is the connection of the refused request. Return whether there are others,
        so that the request is worth another try.
        """
        with self._renewal:
            # Another thread may have renewed them in between.
            if self.connection is used:
                new = renewed(used)
                if new is None:
                    return False
                self.connection, self._tls = new, None
                self._transports.clear()
        return True

    @property
    def _transport(self) -> Transport:
        """The connections of this process.

        On a shared one, a forked process and its parent would read each other's answers.
        """
        process = os.getpid()
        # Another thread may renew the credentials meanwhile.
        transport = self._transports.get(process)
        if transport is None:
            transport = Transport(self.connection.server, self.tls)
            self._transports[process] = transport
        return transport

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
    ) -> Response:
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
        force: bool = True,
    ) -> Object:
        """Create or change an object with server-side apply, and return it.

        Fields that `body` does not contain keep the values that others have set.

        Raises:
            ConflictError: without `force`, others have set a field to another value.
        """
        query: dict[str, Any] = {"fieldManager": MANAGER}
        if force:
            query["force"] = "true"
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

    def _send(self, method: str, url_path: str, **options: Any) -> Response:
        return self.with_renewal(partial(self._exchange, method, url_path, **options))

    def _exchange(
        self,
        method: str,
        url_path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        preload: bool = True,
        timeout: float = _READ_SECONDS,
    ) -> Response:
        target = url_path
        if query:
            target += f"?{urlencode(query)}"
        all_headers = {**self.headers, "Accept": "application/json"}
        data = None
        if body is not None:
            all_headers["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        all_headers.update(headers or {})
        try:
            response = self._transport.request(
                method, target, body=data, headers=all_headers, seconds=timeout
            )
            if preload or response.status >= _FIRST_ERROR_STATUS:
                response.read()
        except (TransportError, ssl.SSLError) as error:
            raise unreachable(error, self.connection) from None
        self.clock.observe(response.headers)
        if response.status >= _FIRST_ERROR_STATUS:
            raise refusal(response.status, response.data, self.connection)
        return response


def _chunks(response: Response) -> Iterator[bytes]:
    """Yield the body of an open response as it arrives."""
    try:
        yield from response.stream(_CHUNK_BYTES)
    except OSError as error:
        raise UnreachableError(
            f"the connection to the cluster broke: {error}"
        ) from None


def is_served(api: Api, group: str, plural: str) -> bool:
    """Return whether the API server knows objects of a kind; `group` is the path of their API."""
    answer = api.find(group) or {}
    return plural in map(itemgetter("name"), answer.get("resources", ()))


def data_of(api: Api, url_path: str) -> dict[str, str]:
    """Return the data of a ConfigMap or Secret, none if it does not exist."""
    body = api.find(url_path) or {}
    # Data may be null after its last key was removed.
    return body.get("data") or {}
