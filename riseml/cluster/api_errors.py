"""Errors of RiseML for answers of the Kubernetes API, and for missing ones."""

import json
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime

from riseml.cluster import USER_ACCOUNT, token_expiry
from riseml.cluster.connection import Connection
from riseml.cluster.transport import TransportError
from riseml.errors import NotAllowedError, NotFoundError, RiseMLError, UnreachableError

_UNAUTHORIZED, _FORBIDDEN = 401, 403
# The API server, or something in front of it, is overloaded or restarting.
_TEMPORARY = frozenset({429, 500, 502, 503, 504})
# A 403 with one of these texts is not about the user's rights, but about the object.
_POLICY_TEXTS = ("exceeded quota", "violates PodSecurity", "denied")


_RUNS_GO_ON = "Your runs on the cluster do not need it: they wait and run as before."


# Disabling a user deletes this Role, and the bindings to it remain.
_NO_ROLE = f'role.rbac.authorization.k8s.io "{USER_ACCOUNT}" not found'


class ConflictError(RiseMLError):
    """The object exists already, or another client changed it first."""


class RefusedError(RiseMLError):
    """The API server rejects the request as invalid, or a policy forbids it."""


class NotAuthenticatedError(NotAllowedError):
    """The API server does not know who sends the request: the login has ended."""


_ERRORS: Mapping[int, type[RiseMLError]] = {
    404: NotFoundError,
    409: ConflictError,
}


def refusal(status: int, data: bytes, connection: Connection) -> RiseMLError:
    """Return the error for an answer with a status of 400 or above."""
    message = _message(data)
    if status == _UNAUTHORIZED:
        return _not_authenticated(connection)
    if status == _FORBIDDEN and message.endswith(_NO_ROLE):
        return _disabled(connection)
    if status == _FORBIDDEN and not _is_policy(message):
        return NotAllowedError(f"not allowed: {message}", _rights_advice(connection))
    if status in _TEMPORARY:
        return UnreachableError(
            f"the cluster at {connection.server} cannot answer now: {message or status}"
        )
    error = _ERRORS.get(status, RefusedError)
    return error(message or f"the cluster answers {status}")


def _not_authenticated(connection: Connection) -> NotAuthenticatedError:
    server = connection.server
    ended = token_expiry.expired(connection.token, datetime.now(UTC))
    rejected, guess = "this key", "It may have been revoked."
    advice = (
        "Ask your administrator for a new one, and log in with `riseml user login`."
    )
    if connection.kubeconfig is not None:
        file, context = connection.kubeconfig
        rejected = f"the login of the context {context} in {file}"
        guess = "It may have expired."
        advice = "Log in to the cluster again, as you do for kubectl."
    message = f"the cluster at {server} does not accept {rejected}"
    if not ended:
        return NotAuthenticatedError(message, f"{guess} {advice}")
    return NotAuthenticatedError(f"{message}: {ended}", f"{advice} {_RUNS_GO_ON}")


def _disabled(connection: Connection) -> NotAllowedError:
    """Return the error for somebody whose binding leads to a Role that is gone."""
    return NotAllowedError(
        f"the user {connection.user} is disabled",
        f"Your administrator enables it: `riseml user update --username {connection.user}`.",
    )


def _rights_advice(connection: Connection) -> str:
    if connection.kubeconfig is None:
        return "Ask your administrator which rights you have."
    return (
        "Your administrator gives access to the user that this message names: "
        f"`riseml user update --username {connection.user} --subject NAME`."
    )


def unreachable(error: OSError, connection: Connection) -> UnreachableError:
    """Return the error for a request that got no answer."""
    if isinstance(error, ssl.SSLError):
        return _wrong_certificate(connection, error)
    problem = "does not answer"
    if isinstance(error, TransportError) and error.is_refused:
        problem = "refuses connections"
    return UnreachableError(
        f"the cluster at {connection.server} {problem} ({error})",
        "Check your network connection, and try again later.",
    )


def _wrong_certificate(
    connection: Connection, cause: BaseException
) -> UnreachableError:
    server = connection.server
    if connection.kubeconfig is None:
        return UnreachableError(
            f"the cluster at {server} is not the one of this key: {cause}",
            "Ask your administrator for a new API key, and log in with `riseml user login`.",
        )
    file, context = connection.kubeconfig
    return UnreachableError(
        f"the cluster at {server} is not the one of the context {context} in {file}: {cause}",
        "Its certificate-authority may be an old one. Ask your administrator.",
    )


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message") or "")
    except ValueError:
        # Proxies answer with HTML or plain text.
        return data[:200].decode(errors="replace").strip()


def _is_policy(message: str) -> bool:
    return any(text in message for text in _POLICY_TEXTS)
