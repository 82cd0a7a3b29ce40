"""Controllers of Argo Workflows on a cluster, whoever installed them.

    Deployments of all namespaces ──▶ image, arguments ──▶ ConfigMap ──▶ ArgoController

A controller that is not a Deployment, such as a process outside of the cluster, leaves
no object by which it could be found.
"""

from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from itertools import filterfalse
from operator import attrgetter
from typing import Any

import yaml

from riseml.cluster.api import Api, Object, data_of, is_served, path
from riseml.dataclass import dataclass, field
from riseml.status.document import mapping

CUSTOM_RESOURCES = "/apis/argoproj.io/v1alpha1"
"""Path of the API group that Argo's CustomResourceDefinitions add."""

_PROGRAM = "workflow-controller"
_CONFIG_MAP = "workflow-controller-configmap"
_TRUE = frozenset({"1", "t", "true"})
# Older installations have all settings as one YAML text under this key.
_SINGLE_KEY = "config"


@dataclass(frozen=True)
class ArgoController:
    """Deployment of Argo's controller, with the settings that concern RiseML.

    `version` is the tag of its image without the `v`, empty if it has none.
    `watched` is the only namespace whose Workflows it processes, empty for all.
    `instance` is the instance id that these must have, empty for none. `settings` is
    the content of its ConfigMap.
    """

    namespace: str
    name: str
    version: str = ""
    is_ready: bool = False
    watched: str = ""
    config_map: str = _CONFIG_MAP
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def instance(self) -> str:
        """The instance id that Workflows must have, empty for none."""
        return str(self.settings.get("instanceID") or "")

    @property
    def description(self) -> str:
        """The version, namespace, scope and instance id, for people."""
        name = f"Argo {self.version}".strip()
        scope = f"only {self.watched}" if self.watched else "all namespaces"
        text = f"{name} in {self.namespace} watches {scope}"
        if self.instance:
            text += f", with the instance id {self.instance}"
        return text


def watching_all(controllers: Iterable[ArgoController]) -> list[ArgoController]:
    """Return the controllers that process Workflows of all namespaces."""
    return list(filterfalse(attrgetter("watched"), controllers))


def of_instance(
    controllers: Iterable[ArgoController], instance: str
) -> list[ArgoController]:
    """Return the controllers that process Workflows with this instance id."""
    return [item for item in controllers if item.instance == instance]


def are_custom_resources_known(api: Api) -> bool:
    """Return whether the cluster knows Workflows."""
    return is_served(api, CUSTOM_RESOURCES, "workflows")


def controllers(api: Api) -> list[ArgoController]:
    """Return the controllers, sorted by namespace.

    Raises:
        NotAllowedError: the user may not list the Deployments of all namespaces.
    """
    running = []
    for deployment in api.items(path("deployments")):
        container = _controller_container(deployment)
        if container is not None:
            running.append(_controller(api, deployment, container))
    return sorted(running, key=lambda item: (item.namespace, item.name))


def parse_settings(data: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a controller's ConfigMap; texts that are not YAML stay texts."""
    if _SINGLE_KEY in data:
        return dict(mapping(_parse(data[_SINGLE_KEY])))
    return {name: _parse(text) for name, text in data.items()}


def _parse(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _controller_container(deployment: Object) -> Object | None:
    for container in deployment["spec"]["template"]["spec"].get("containers", ()):
        program = " ".join(container.get("command", ())[:1])
        # Some distributions put a prefix before the name of the image.
        image, _ = _name_and_tag(container.get("image", ""))
        if image.endswith(_PROGRAM) or program.endswith(_PROGRAM):
            return dict(container)
    return None


def _controller(api: Api, deployment: Object, container: Object) -> ArgoController:
    metadata = deployment["metadata"]
    namespace = str(metadata["namespace"])
    # The program comes first; its arguments may be in both lists.
    words = [*container.get("command", ()), *container.get("args", ())]
    flags, _others = _parser(namespace).parse_known_args(words)
    data = data_of(api, path("configmaps", namespace, flags.configmap))
    _, tag = _name_and_tag(container.get("image", ""))
    # Argo ignores the managed namespace of a controller that is not namespaced.
    is_namespaced = flags.namespaced in _TRUE
    return ArgoController(
        namespace,
        str(metadata["name"]),
        tag.removeprefix("v"),
        bool(deployment.get("status", {}).get("availableReplicas")),
        flags.managed_namespace if is_namespaced else "",
        flags.configmap,
        parse_settings(data),
    )


def _parser(namespace: str) -> ArgumentParser:
    """Return the parser for the arguments of a controller of this namespace."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--configmap", default=_CONFIG_MAP)
    parser.add_argument("--namespaced", nargs="?", const="true", default="false")
    parser.add_argument("--managed-namespace", default=namespace)
    return parser


def _name_and_tag(image: str) -> tuple[str, str]:
    """Return an image's name without its registry, and its tag, empty if it has none."""
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    return name, tag
