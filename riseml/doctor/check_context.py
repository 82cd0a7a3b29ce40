"""What checks of a cluster look at: a cluster, and a user's namespace in it."""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from riseml.cluster import STORE
from riseml.cluster.api import Api, Object, path
from riseml.cluster.store import StorePod, is_ready
from riseml.cluster.user_namespace import UserNamespace
from riseml.errors import RiseMLError
from riseml.plan import Target

ADMIN = "only administrators may look"


class CheckContext(UserNamespace):
    """A user's namespace with its surroundings, at one time."""

    def __init__(
        self, api: Api, namespace: str, user: str, now: datetime | None = None
    ) -> None:
        super().__init__(api, namespace)
        self.user, self.now = user, now or datetime.now(UTC)

    @property
    def anew(self) -> str:
        """What helps where something of the namespace is missing."""
        return f"An administrator makes it anew: `riseml user update --username {self.user}`."

    @property
    def known(self) -> Target:
        """What the administrator has settled; the usual where the namespace is no user's."""
        try:
            return self.target
        except (RiseMLError, ValueError):
            return Target(namespace=self.namespace)

    def items(self, kind: str, **query: Any) -> list[Object]:
        """Return the objects of a kind in the namespace."""
        return list(self.api.items(path(kind, self.namespace), **query))

    @cached_property
    def store(self) -> StorePod | None:
        """The store, None where its pod is not ready."""
        pods = self.items("pods", labelSelector=f"app={STORE}")
        return StorePod(self.api, self.namespace) if any(map(is_ready, pods)) else None
