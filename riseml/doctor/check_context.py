"""Context of the checks of a cluster: its API and a user's namespace."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, wraps
from typing import Any, Protocol, TypeVar

from riseml.cluster import STORE
from riseml.cluster.api import Api, Object, path
from riseml.cluster.store import StorePod, is_ready
from riseml.cluster.user_namespace import UserNamespace
from riseml.doctor.findings import Outcome, skipped
from riseml.errors import NotAllowedError, RiseMLError
from riseml.plan import Target

_C = TypeVar("_C")
# Users may read nothing outside their namespace, and not all of that.
_ADMIN_ONLY = "only administrators may read this"


def for_administrators(check: Callable[[_C], Outcome]) -> Callable[[_C], Outcome]:
    """Return a check that is skipped where the user may not read what it examines."""

    @wraps(check)
    def checked(context: _C) -> Outcome:
        try:
            return check(context)
        except NotAllowedError:
            return skipped(_ADMIN_ONLY)

    return checked


class HasApi(Protocol):
    """Context of checks that need only the API server."""

    @property
    def api(self) -> Api:
        """The API server."""


class HasTarget(HasApi, Protocol):
    """Context of the checks that users and administrators share."""

    @property
    def target_or_default(self) -> Target:
        """The administrator's settings; the defaults if they cannot be read."""


class CheckContext(UserNamespace):
    """User's namespace and its cluster, examined at one time."""

    def __init__(
        self, api: Api, namespace: str, user: str, now: datetime | None = None
    ) -> None:
        super().__init__(api, namespace)
        self.user, self.now = user, now or datetime.now(UTC)

    @property
    def recreate_advice(self) -> str:
        """The advice for an object that the namespace lacks."""
        return f"An administrator can recreate it: `riseml user update --username {self.user}`."

    @property
    def target_or_default(self) -> Target:
        """The administrator's settings; the defaults if they cannot be read."""
        try:
            return self.target
        except (RiseMLError, ValueError):
            return Target(namespace=self.namespace)

    def items(self, kind: str, **query: Any) -> list[Object]:
        """Return the objects of a kind in the namespace."""
        return list(self.api.items(path(kind, self.namespace), **query))

    @cached_property
    def store(self) -> StorePod | None:
        """The store, or None if its pod is not ready."""
        pods = self.items("pods", labelSelector=f"app={STORE}")
        if not any(map(is_ready, pods)):
            return None
        return StorePod(self.api, self.namespace)
