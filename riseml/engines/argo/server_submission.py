"""Submission of Workflows through an Argo Server, with Hera's client."""

import json
from typing import TYPE_CHECKING, Any

from riseml.cluster import argo_server
from riseml.cluster.api import Api, Object, path
from riseml.cluster.api_errors import ConflictError, RefusedError
from riseml.cluster.connection import Connection
from riseml.errors import NotAllowedError, RiseMLError, UnreachableError

if TYPE_CHECKING:
    from requests import RequestException

_CONNECT_SECONDS, _READ_SECONDS = 5.0, 30.0
_UNREACHABLE_ADVICE = (
    "Log in again if it has moved. Without `argo-server` in the settings file, "
    "runs are submitted to the Kubernetes API."
)


def create(api: Api, document: dict[str, Any]) -> Object:
    """Submit a Workflow as it is.

    Raises:
        ConflictError: there is a Workflow of this name.
        RefusedError: the cluster refuses the Workflow.
        NotAllowedError: the server does not accept the token.
        UnreachableError: the server does not answer.
    """
    from hera.exceptions import AlreadyExists, Forbidden, HeraException, Unauthorized  # noqa: PLC0415

    # Hera's client raises its exceptions.
    from requests import RequestException  # noqa: PLC0415

    connection = api.connection
    request: Any = _RawRequest(document)
    try:
        workflow = _service(connection).create_workflow(
            request, namespace=connection.namespace
        )
    except AlreadyExists as error:
        raise ConflictError(str(error)) from None
    except (Unauthorized, Forbidden) as error:
        raise _not_accepted(connection, error) from None
    except HeraException as error:
        raise RefusedError(str(error)) from None
    except ValueError:
        # The answer is not JSON.
        raise UnreachableError(
            f"what answers at {connection.argo} is not the API of an Argo Server",
            f"{argo_server.PATH_ADVICE} {_UNREACHABLE_ADVICE}",
        ) from None
    except RequestException as error:
        return _created_anyway(api, document, error)
    return dict(workflow.model_dump(mode="json", by_alias=True, exclude_none=True))


class _RawRequest:
    """Request for Hera's client that carries a document unchanged.

    Hera's own model drops fields that Argo 4.1 has and Hera lacks.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def json(self, **_: Any) -> str:
        """Return the request's body."""
        return json.dumps({"workflow": self._document})


def _service(connection: Connection) -> Any:
    """Return Hera's client of the server, with time limits that it has not by itself."""
    from hera.workflows.service import WorkflowsService  # noqa: PLC0415
    from requests import Session  # noqa: PLC0415

    class LimitedSession(Session):
        def request(self, *arguments: Any, **options: Any) -> Any:
            options.setdefault("timeout", (_CONNECT_SECONDS, _READ_SECONDS))
            return super().request(*arguments, **options)

    return WorkflowsService(
        # Without the slash, Hera drops the last segment of a server's path.
        host=f"{connection.argo}/",
        token=f"Bearer {argo_server.token(connection)}",
        namespace=connection.namespace,
        session=LimitedSession(),
    )


def _created_anyway(
    api: Api, document: dict[str, Any], error: "RequestException"
) -> Object:
    """Return a Workflow that the server has created without saying so.

    Raises:
        UnreachableError: it has not.
    """
    from requests.exceptions import ReadTimeout, SSLError  # noqa: PLC0415

    connection = api.connection
    if isinstance(error, SSLError):
        raise UnreachableError(
            f"the certificate of the Argo Server at {connection.argo} is not trusted: {error}",
            "Set REQUESTS_CA_BUNDLE to a file with the certificates of its authority.",
        ) from None
    if not isinstance(error, ReadTimeout):
        raise _unreachable(connection, type(error).__name__) from None
    name = document["metadata"].get("name")
    workflow = api.find(path("workflows", connection.namespace, name)) if name else None
    if workflow is None:
        problem = f"no answer within {_READ_SECONDS:.0f} seconds"
        raise _unreachable(connection, problem) from None
    return workflow


def _not_accepted(connection: Connection, error: Exception) -> RiseMLError:
    server = f"the Argo Server at {connection.argo}"
    if argo_server.uses_own_token(connection):
        return NotAllowedError(
            f"{server} does not accept the token of {argo_server.TOKEN}: {error}",
            f"It may have expired. {connection.argo}/userinfo shows a new one.",
        )
    return NotAllowedError(
        f"{server} does not accept this: {error}",
        "Run it with `--auth-mode client`, so that it accepts users' own tokens. With single sign-on, "
        f"set {argo_server.TOKEN} to the token that {connection.argo}/userinfo shows.",
    )


def _unreachable(connection: Connection, problem: str) -> UnreachableError:
    return UnreachableError(
        f"the Argo Server at {connection.argo} does not answer ({problem})",
        _UNREACHABLE_ADVICE,
    )
