"""What the administrator has settled for a user's namespace, and the counter of its runs: the ConfigMap `riseml`.

number   the last run's number, never reused       target   fields of `Target` that are not as usual, as JSON
"""

import json
from dataclasses import fields
from typing import Any

from riseml import labels
from riseml.cluster import SETTINGS
from riseml.cluster.api import Api, Object, path
from riseml.cluster.api_errors import ConflictError
from riseml.errors import NotFoundError, RiseMLError
from riseml.plan import Target

_KNOWN = {field.name for field in fields(Target)}
_LISTS = ("pull_secrets", "tolerations")
# Every node has this label
_HOST = "kubernetes.io/hostname"


class UserNamespace:
    """One namespace, as it was at the first look."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self._settings: Object | None = None
        self._before = 0
        self.node = ""
        """The host name of the only node that jobs may run on, empty for any."""

    @property
    def settings(self) -> Object:
        """The ConfigMap.

        Raises:
            RiseMLError: the namespace is none of RiseML's.
        """
        if self._settings is None:
            self._settings = self._read()
        return self._settings

    @property
    def target(self) -> Target:
        """What compiling must know of the cluster; what this version does not know is left out."""
        told = json.loads(self.settings.get("data", {}).get("target") or "{}")
        known: dict[str, Any] = {
            key: value for key, value in told.items() if key in _KNOWN
        }
        known |= {key: tuple(known[key]) for key in _LISTS if key in known}
        if self.node:
            known["node_selector"] = {
                **known.get("node_selector", {}),
                _HOST: self.node,
            }
        return Target(**{**known, "namespace": self.namespace})

    @property
    def number(self) -> int:
        """The number that the next run will have, unless somebody is faster."""
        return (
            max(int(self.settings.get("data", {}).get("number") or 0), self._before) + 1
        )

    def begin_after(self, number: int) -> None:
        """Let no run have this number or a smaller one."""
        self._before = number

    def take(self, number: int) -> bool:
        """Take a number for a run; False where somebody was faster: then `number` is another one."""
        body = {
            "metadata": {
                "resourceVersion": self.settings["metadata"]["resourceVersion"]
            },
            "data": {"number": str(number)},
        }
        try:
            self._settings = self.api.patch(self._path, body)
        except ConflictError:
            self._settings = None
            return False
        return True

    def forget(self) -> None:
        """Look anew at the next question."""
        self._settings = None

    def set_slots(self, number: int, count: int | None) -> None:
        """Let so many experiments of a set in several Workflows run at once; None: the set is gone."""
        self.api.patch(
            self._path,
            {
                "data": {
                    labels.SLOTS.format(number=number): None
                    if count is None
                    else str(count)
                }
            },
        )
        self._settings = None

    @property
    def _path(self) -> str:
        return path("configmaps", self.namespace, SETTINGS)

    def _read(self) -> Object:
        try:
            return self.api.get(self._path)
        except NotFoundError:
            raise RiseMLError(
                f"the namespace {self.namespace} is not a RiseML user's: it has no ConfigMap {SETTINGS}",
                "`riseml user login` as a user; an administrator makes one with `riseml user create`.",
            ) from None
