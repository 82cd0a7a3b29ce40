"""Values that an installation takes from the Argo of a cluster."""

import pytest

from riseml.cluster.argo_controllers import ArgoController
from riseml.cluster.detected_values import detect
from riseml.cluster.values import parse


def controller(
    instance: str = "", watched: str = "", namespace: str = "argo"
) -> ArgoController:
    settings = {"instanceID": instance} if instance else {}
    return ArgoController(
        namespace, "workflow-controller", watched=watched, settings=settings
    )


@pytest.mark.parametrize(
    ("controllers", "instance"),
    [
        ([], ""),
        ([controller()], ""),
        ([controller("lab")], "lab"),
        # A controller of one namespace does not watch users.
        ([controller("lab", watched="team")], ""),
        ([controller("lab"), controller("team", watched="team")], "lab"),
        # Without an instance id, runs go to the controller that has none.
        ([controller("lab"), controller()], ""),
        # An administrator has to choose.
        ([controller("lab"), controller("other")], ""),
    ],
)
def test_the_instance_id_of_the_only_controller_is_taken(
    controllers: list[ArgoController], instance: str
) -> None:
    values, taken = detect(parse("gpuResource: amd.com/gpu"), controllers)
    assert values["argo"]["instanceId"] == instance
    assert values["gpuResource"] == "amd.com/gpu"
    expected = "argo.instanceId: lab (of argo/workflow-controller-configmap)"
    assert taken == ([expected] if instance else [])
    # The cluster stores what was taken.
    assert parse(values.text()) == values


@pytest.mark.parametrize("given", ["other", "''"])
def test_an_instance_id_that_is_given_stays(given: str) -> None:
    values = parse(f"argo: {{instanceId: {given}}}")
    assert detect(values, [controller("lab")]) == (values, [])


def test_the_config_map_to_configure_is_that_of_the_controller() -> None:
    values = parse("argo: {configure: true}")
    found, taken = detect(values, [controller("lab", namespace="workflows")])
    assert (found["argo"]["namespace"], found["argo"]["instanceId"]) == (
        "workflows",
        "lab",
    )
    assert len(taken) == 2
    given = parse("argo: {configure: true, namespace: mine}")
    kept, _taken = detect(given, [controller(namespace="workflows")])
    assert kept["argo"]["namespace"] == "mine"
