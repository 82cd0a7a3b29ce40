"""Security contexts that an administrator sets for the pods of a cluster."""

from typing import Any

from riseml.cluster import namespace_objects
from riseml.cluster.values import parse
from riseml.plan import Build, Origin, Target
from tests.unit.plans import ORIGIN, REVISION, compiled, env, single, template

POD = {"runAsUser": 1000, "fsGroup": 1000}
CONTAINER = {"readOnlyRootFilesystem": True}
VALUES = parse(
    """
    securityContext:
      pod: {runAsUser: 1000, fsGroup: 1000}
      container: {readOnlyRootFilesystem: true}
    """
)
TMP = {"name": "tmp", "mountPath": "/tmp"}


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    result = []
    for body in document["spec"]["templates"]:
        result += [body["container"]] if "container" in body else []
        result += body.get("initContainers", [])
    return result


def test_pods_and_containers_have_the_contexts_of_the_values() -> None:
    target = Target(**VALUES.target())
    plan = single(install=("pip install x",))
    document = compiled(plan, Origin("me", 14, REVISION, build=Build("key")), target)
    assert document["spec"]["securityContext"] == POD
    assert {"name": "tmp", "emptyDir": {}} in document["spec"]["volumes"]
    names = [container.get("name", "main") for container in containers(document)]
    assert sorted(names) == ["checkout", "context", "main", "main"]
    for container in containers(document):
        assert container["securityContext"] == CONTAINER
        assert TMP in container["volumeMounts"]


def test_the_store_has_the_same_contexts() -> None:
    store = namespace_objects.managed(VALUES.offer())[-1]
    pod = store["spec"]["template"]["spec"]
    assert pod["securityContext"] == POD
    assert pod["containers"][0]["securityContext"] == CONTAINER
    assert TMP in pod["containers"][0]["volumeMounts"]
    assert {"name": "tmp", "emptyDir": {}} in pod["volumes"]


def test_without_values_the_cluster_decides() -> None:
    document = compiled(single())
    assert "securityContext" not in document["spec"]
    assert all("securityContext" not in body for body in containers(document))
    assert all(volume["name"] != "tmp" for volume in document["spec"]["volumes"])


def test_the_code_of_a_pod_is_open_to_the_user_of_its_image() -> None:
    (checkout,) = template(compiled(single(), ORIGIN), "train")["initContainers"]
    assert env(checkout)["RISEML_OPEN"] == "1"
