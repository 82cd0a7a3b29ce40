"""Controllers of Argo as their Deployments and ConfigMaps describe them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from riseml.cluster.api import Api
from riseml.cluster.argo_controllers import (
    ArgoController,
    are_custom_resources_known,
    controllers,
    parse_settings,
)

IMAGE = "quay.io/argoproj/workflow-controller:v4.1.2"


class Cluster:
    """Cluster with Deployments and ConfigMaps."""

    def __init__(
        self, deployments: Sequence[Any], config_maps: Mapping[str, Any] | None = None
    ) -> None:
        self.deployments, self.config_maps = deployments, config_maps or {}

    def items(self, at: str) -> Iterator[Any]:
        assert at == "/apis/apps/v1/deployments"
        yield from self.deployments

    def find(self, at: str) -> Any:
        data = self.config_maps.get(at)
        return None if data is None else {"data": data}


def deployment(
    image: str = IMAGE, namespace: str = "argo", **container: Any
) -> dict[str, Any]:
    body = {"name": "c", "image": image, **container}
    return {
        "metadata": {"name": "workflow-controller", "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [body]}}},
        "status": {"availableReplicas": 1},
    }


def only(cluster: Cluster) -> ArgoController:
    (controller,) = controllers(cast(Api, cluster))
    return controller


def test_a_controller_of_argos_manifests_watches_all_namespaces() -> None:
    cluster = Cluster(
        [
            deployment("nginx:1"),
            deployment(command=["workflow-controller"], args=[]),
        ]
    )
    assert only(cluster) == ArgoController(
        "argo", "workflow-controller", "4.1.2", is_ready=True
    )
    assert only(cluster).description == "Argo 4.1.2 in argo watches all namespaces"


@pytest.mark.parametrize(
    ("args", "watched"),
    [
        (["--namespaced"], "argo"),
        (["--namespaced", "--managed-namespace", "team"], "team"),
        (["--namespaced=true", "--managed-namespace=team"], "team"),
        # Argo ignores the managed namespace then.
        (["--managed-namespace", "team"], ""),
        (["--namespaced=false"], ""),
        (["--namespaced", "--loglevel", "debug"], "argo"),
    ],
)
def test_the_arguments_say_what_it_watches(args: list[str], watched: str) -> None:
    command = ["workflow-controller"]
    assert only(Cluster([deployment(command=command, args=args)])).watched == watched
    assert only(Cluster([deployment(command=[*command, *args])])).watched == watched


def test_the_config_map_that_it_names_has_its_settings() -> None:
    path = "/api/v1/namespaces/argo/configmaps/lab-settings"
    data = {"instanceID": "lab", "persistence": "archive: true\n"}
    controller = only(
        Cluster([deployment(args=["--configmap", "lab-settings"])], {path: data})
    )
    assert (controller.config_map, controller.instance) == ("lab-settings", "lab")
    assert controller.settings["persistence"] == {"archive": True}
    assert controller.description.endswith("with the instance id lab")


def test_settings_may_be_one_text() -> None:
    assert parse_settings({"config": "instanceID: lab\nparallelism: 3\n"}) == {
        "instanceID": "lab",
        "parallelism": 3,
    }
    assert parse_settings({"config": "nonsense"}) == {}
    assert parse_settings({"links": "- {"}) == {"links": "- {"}


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (IMAGE, "4.1.2"),
        ("reg.example:5000/argo/workflow-controller:v4.0.1@sha256:0", "4.0.1"),
        ("reg.example:5000/workflow-controller", ""),
        ("mirror/argo-workflow-controller:4.1.0-debian", "4.1.0-debian"),
    ],
)
def test_the_tag_of_the_image_is_the_version(image: str, version: str) -> None:
    assert only(Cluster([deployment(image)])).version == version


@pytest.mark.parametrize("names", [[], ["workflowtemplates"], ["workflows"]])
def test_custom_resources_are_known_by_their_api_group(names: list[str]) -> None:
    class Group:
        def find(self, at: str) -> Any:
            assert at == "/apis/argoproj.io/v1alpha1"
            if not names:
                return None
            return {"resources": [{"name": name} for name in names]}

    assert are_custom_resources_known(cast(Api, Group())) == ("workflows" in names)
