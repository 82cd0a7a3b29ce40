"""Settings and run counter of a user's namespace: its ConfigMap `riseml`.

number   number of the last run, never reused
target   fields of `Target` that differ from the defaults, as JSON
"""

import json
from datetime import datetime
from typing import Any

from riseml import labels
from riseml.cluster import SETTINGS
from riseml.cluster.api import Api, Object, path
from riseml.cluster.api_errors import ConflictError
from riseml.dataclass import field_names
from riseml.errors import NotFoundError, RiseMLError
from riseml.plan import Target, Volume

_TARGET_FIELDS = frozenset(field_names(Target))
# JSON has no tuples.
_TUPLES = {"pull_secrets", "tolerations", "gpu_products"}
# Every node has this label.
_HOST_NAME = "kubernetes.io/hostname"


class UserNamespace:
    """Namespace of a user, with the settings as they were first read."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self._settings: Object | None = None
        self._least_number = 0
        self.node = ""
        """The host name of the only node that jobs may run on, empty for any."""

    @property
    def settings(self) -> Object:
        """The ConfigMap.

        Raises:
            RiseMLError: the namespace does not belong to a user of RiseML.
        """
        if self._settings is None:
            self._settings = self._read()
        return self._settings

    @property
    def target(self) -> Target:
        """The properties of the cluster that compiling needs."""
        values = json.loads(self._data.get("target") or "{}")
        # A newer version of RiseML may have added fields.
        known = _TARGET_FIELDS & values.keys()
        target: dict[str, Any] = {name: values[name] for name in known}
        for name in _TUPLES & known:
            target[name] = tuple(target[name])
        volumes = target.get("volumes", ())
        target["volumes"] = tuple(Volume(**fields) for fields in volumes)
        if self.node:
            selector = target.get("node_selector", {})
            target["node_selector"] = {**selector, _HOST_NAME: self.node}
        return Target(**{**target, "namespace": self.namespace})

    @property
    def server_time(self) -> datetime:
        """The cluster's time."""
        return self.api.clock.now()

    @property
    def number(self) -> int:
        """The number of the next run, unless another client takes it first."""
        return max(int(self._data.get("number") or 0), self._least_number) + 1

    def begin_after(self, number: int) -> None:
        """Make the numbers of new runs larger than `number`."""
        self._least_number = number

    def take(self, number: int) -> bool:
        """Reserve a number for a run.

        Return False if another client was faster; `number` is a new one then.
        """
        version = self.settings["metadata"]["resourceVersion"]
        body = {
            "metadata": {"resourceVersion": version},
            "data": {"number": str(number)},
        }
        try:
            self._settings = self.api.patch(self._path, body)
        except ConflictError:
            self._settings = None
            return False
        return True

    def forget(self) -> None:
        """Read the ConfigMap again when it is needed next."""
        self._settings = None

    def set_slots(self, number: int, count: int | None) -> None:
        """Set how many experiments of a set of several Workflows run at once.

        None removes the limit, once the set is deleted.
        """
        key = labels.SLOTS.format(number=number)
        value = None if count is None else str(count)
        self.api.patch(self._path, {"data": {key: value}})
        self._settings = None

    @property
    def _data(self) -> dict[str, str]:
        data: dict[str, str] = self.settings.get("data", {})
        return data

    @property
    def _path(self) -> str:
        return path("configmaps", self.namespace, SETTINGS)

    def _read(self) -> Object:
        try:
            return self.api.get(self._path)
        except NotFoundError:
            raise RiseMLError(
                f"the namespace {self.namespace} does not belong to a RiseML user: it has no ConfigMap {SETTINGS}",
                "Log in with `riseml user login`; an administrator creates users with `riseml user create`.",
            ) from None
