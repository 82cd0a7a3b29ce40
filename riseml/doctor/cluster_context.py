"""Context of an administrator's checks: a cluster and its installation of RiseML."""

from datetime import UTC, datetime
from functools import cached_property

from riseml.cluster import argo_controllers
from riseml.cluster.api import Api
from riseml.cluster.argo_controllers import ArgoController, controllers
from riseml.cluster.values import Values, read_values
from riseml.plan import Target


class ClusterContext:
    """Cluster, examined at one time.

    Without `values`, the values are those that the cluster stores.
    """

    def __init__(
        self, api: Api, values: Values | None = None, now: datetime | None = None
    ) -> None:
        self.api, self.now = api, now or datetime.now(UTC)
        self._values = values

    @cached_property
    def values(self) -> Values:
        """The values of the installation."""
        return self._values or read_values(self.api)

    @cached_property
    def controllers(self) -> list[ArgoController]:
        """The Deployments of Argo's controller."""
        return controllers(self.api)

    @property
    def watching(self) -> list[ArgoController]:
        """The controllers that process Workflows of all namespaces."""
        return argo_controllers.watching_all(self.controllers)

    @property
    def serving(self) -> list[ArgoController]:
        """The controllers that process RiseML's runs."""
        return argo_controllers.of_instance(self.watching, self.instance)

    @property
    def instance(self) -> str:
        """The instance id of the runs, empty for none."""
        return str(self.values["argo"]["instanceId"])

    @property
    def target_or_default(self) -> Target:
        """The settings that the values give to users."""
        return Target(**self.values.target())
