"""Values that an installation takes from the cluster, where the administrator gives none.

Values + [ArgoController] ──▶ Values, and sentences about what was taken
"""

from collections.abc import Sequence
from itertools import filterfalse
from operator import attrgetter

from riseml.cluster import argo_controllers
from riseml.cluster.argo_controllers import ArgoController
from riseml.cluster.values import Values, parse_content


def detect(
    values: Values, controllers: Sequence[ArgoController]
) -> tuple[Values, list[str]]:
    """Return values that fit the Argo of the cluster, and what was taken from it.

    Nothing is taken where several controllers could be meant.
    """
    given = values.given.get("argo", {})
    fitting = _fitting(controllers, given.get("instanceId"))
    if len(fitting) != 1:
        return values, []
    controller = fitting[0]
    observed = {"instanceId": controller.instance}
    if values["argo"]["configure"]:
        observed["namespace"] = controller.namespace
        observed["configMap"] = controller.config_map
    source = f"{controller.namespace}/{controller.config_map}"
    argo = dict(given)
    sentences = []
    for key in filterfalse(given.__contains__, observed):
        value = observed[key]
        if value != values["argo"][key]:
            argo[key] = value
            sentences.append(f"argo.{key}: {value} (of {source})")
    if not sentences:
        return values, []
    return parse_content({**values.given, "argo": argo}), sentences


def _fitting(
    controllers: Sequence[ArgoController], instance: str | None
) -> list[ArgoController]:
    """Return the controllers that could process RiseML's runs.

    `instance` is the instance id that the administrator gives, None for none given.
    """
    watching = argo_controllers.watching_all(controllers)
    if instance is None:
        instance = _only_instance(watching)
    return argo_controllers.of_instance(watching, instance)


def _only_instance(controllers: Sequence[ArgoController]) -> str:
    """Return the instance id that all controllers have, empty if they differ."""
    instances = set(map(attrgetter("instance"), controllers))
    # Runs without an instance id go to the controller that has none.
    return instances.pop() if len(instances) == 1 else ""
