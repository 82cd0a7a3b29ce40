"""Errors of RiseML for answers of the Kubernetes API, and for missing ones."""

import json
from collections.abc import Mapping

from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, SSLError

from riseml.cluster.connection import Connection
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError, UnreachableError

_UNAUTHORIZED, _FORBIDDEN = 401, 403
# The API server, or something in front of it, is overloaded or restarting.
_TEMPORARY = frozenset({429, 500, 502, 503, 504})
# A 403 with one of these texts is not about the user's rights, but about the object.
_POLICY_TEXTS = ("exceeded quota", "violates PodSecurity", "denied")


class ConflictError(RiseMLError):
    """The object exists already, or another client changed it first."""


class RefusedError(RiseMLError):
    """The API server rejects the request as invalid, or a policy forbids it."""


_ERRORS: Mapping[int, type[RiseMLError]] = {
    404: NotFoundError,
    409: ConflictError,
}


def refusal(status: int, data: bytes, connection: Connection) -> RiseMLError:
    """Return the error for an answer with a status of 400 or above."""
    message = _message(data)
    if status == _UNAUTHORIZED:
        return NotAllowedError(
            f"the cluster at {connection.server} does not accept this key",
            "It may have been revoked. Ask your administrator for a new one, and log in with `riseml user login`.",
        )
    if status == _FORBIDDEN and not _is_policy(message):
        return NotAllowedError(
            f"not allowed: {message}",
            "Ask your administrator which rights you have.",
        )
    if status in _TEMPORARY:
        return UnreachableError(
            f"the cluster at {connection.server} cannot answer now: {message or status}"
        )
    error = _ERRORS.get(status, RefusedError)
    return error(message or f"the cluster answers {status}")


def unreachable(error: HTTPError, connection: Connection) -> UnreachableError:
    """Return the error for a request that got no answer."""
    server = connection.server
    cause: BaseException = error
    if isinstance(error, MaxRetryError) and error.reason:
        cause = error.reason
    if isinstance(cause, SSLError):
        return UnreachableError(
            f"the cluster at {server} is not the one of this key: {cause}",
            "Ask your administrator for a new API key, and log in with `riseml user login`.",
        )
    problem = "does not answer"
    if isinstance(cause, NewConnectionError):
        problem = "refuses connections"
    # urllib3 puts its own description before the system's message.
    detail = str(cause).rpartition(": ")[2]
    return UnreachableError(
        f"the cluster at {server} {problem} ({detail})",
        "Check your network connection, and try again later.",
    )


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message") or "")
    except ValueError:
        # Proxies answer with HTML or plain text.
        return data[:200].decode(errors="replace").strip()


def _is_policy(message: str) -> bool:
    return any(text in message for text in _POLICY_TEXTS)
