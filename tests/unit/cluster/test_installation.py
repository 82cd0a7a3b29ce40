"""Plans of an installation, on a cluster that is a dictionary."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import yaml

from riseml.cluster import (
    certificates,
    installation,
    losses,
    overview,
    shipped_files,
)
from riseml.cluster.api import Api, path_of
from riseml.cluster.api_errors import RefusedError
from riseml.cluster.values import parse
from riseml.errors import InvalidInputError, NotAllowedError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CERTIFICATES = [
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "riseml"},
        "data": {},
    }
    for name in (certificates.SERVER, certificates.CLIENT)
]


class Cluster:
    """Objects by path; applying replaces the fields that a body contains."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}

    def find(self, at: str) -> dict[str, Any] | None:
        return deepcopy(self.objects.get(at))

    def items(self, at: str, **query: Any) -> Iterator[dict[str, Any]]:
        for url_path, body in self.objects.items():
            key = query.get("labelSelector")
            if url_path.rpartition("/")[0] == at and (
                not key or key in body["metadata"].get("labels", {})
            ):
                yield body

    def apply(
        self,
        body: dict[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        at = path_of(body, namespace)
        merged = {**self.objects.get(at, {}), **deepcopy(body)}
        if not dry_run:
            self.objects[at] = merged
        return merged

    def delete(self, at: str, **options: Any) -> bool:
        return self.objects.pop(at, None) is not None


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    def secrets(now: datetime) -> list[dict[str, Any]]:
        annotations = {certificates.EXPIRES: "2036-01-01T00:00:00+00:00"}
        bodies = []
        for body in CERTIFICATES:
            metadata: Any = body["metadata"]
            metadata = {**metadata, "annotations": annotations}
            bodies.append({**body, "metadata": metadata})
        return bodies

    monkeypatch.setattr(certificates, "secrets", secrets)
    return Cluster()


def install(cluster: Any, text: str) -> dict[str, str]:
    values = parse(text)
    steps = installation.plan(cluster, values, NOW)
    installation.apply(cluster, values, steps, NOW)
    return {step.name: step.outcome for step in steps}


def test_a_second_installation_changes_nothing(cluster: Any) -> None:
    first = install(cluster, "")
    assert set(first.values()) == {"created"}
    assert "Deployment riseml/buildkitd" in first
    assert "Secret riseml/riseml-buildkit" in first
    assert set(install(cluster, "").values()) == {"unchanged"}


def test_changes_are_named(cluster: Any) -> None:
    install(cluster, "")
    values = parse("registry: {nodePort: 32000}")
    changed = [
        step
        for step in installation.plan(cluster, values, NOW)
        if step.outcome != "unchanged"
    ]
    assert [(step.name, step.fields) for step in changed] == [
        ("Service riseml/registry", ("spec.ports.0.nodePort",)),
        ("ConfigMap riseml/riseml-values", ("data.values.yml",)),
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            NotAllowedError(
                'not allowed: namespaces "riseml" is forbidden: User "ida" cannot patch resource "namespaces"'
            ),
            'you cannot patch resource "namespaces"',
        ),
        (
            RefusedError("provided port is already allocated"),
            "provided port is already allocated",
        ),
    ],
)
def test_what_the_cluster_refuses_is_part_of_the_plan(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    install(cluster, "")
    applied = cluster.apply

    def apply(body: dict[str, Any], **options: Any) -> dict[str, Any]:
        if body["kind"] == "Service":
            raise error
        result: dict[str, Any] = applied(body, **options)
        return result

    monkeypatch.setattr(cluster, "apply", apply)
    steps = installation.plan(cluster, parse(""), NOW)
    refused = [step for step in steps if step.outcome == installation.REFUSED]
    assert [(step.name, step.reason) for step in refused] == [
        ("Service riseml/buildkitd", reason),
        ("Service riseml/registry", reason),
    ]


def test_secrets_for_registries_are_copied_to_users(cluster: Any) -> None:
    user = {"metadata": {"name": "riseml-ida", "labels": {"riseml.io/user": "ida"}}}
    cluster.objects["/api/v1/namespaces/riseml-ida"] = user
    hub = {"type": "kubernetes.io/dockerconfigjson", "data": {"a": "b"}}
    cluster.objects["/api/v1/namespaces/riseml/secrets/hub"] = hub
    install(cluster, "imagePullSecrets: [hub, of-the-administrator]")
    secrets = "/api/v1/namespaces/riseml-ida/secrets"
    copy = cluster.objects[f"{secrets}/hub"]
    assert (copy["type"], copy["data"]) == (hub["type"], hub["data"])
    assert f"{secrets}/of-the-administrator" not in cluster.objects


def test_objects_not_needed_any_more_are_removed_except_claims(cluster: Any) -> None:
    install(cluster, "")
    outcomes = install(cluster, "registry: {deploy: false}")
    assert {name for name, outcome in outcomes.items() if outcome == "removed"} == {
        "Deployment riseml/registry",
        "Service riseml/registry",
    }
    assert (
        "/api/v1/namespaces/riseml/persistentvolumeclaims/riseml-registry"
        in cluster.objects
    )


def test_certificates_are_renewed_before_they_expire(cluster: Any) -> None:
    install(cluster, "")
    assert not certificates.are_due(cluster, NOW)
    assert certificates.are_due(cluster, datetime(2035, 12, 1, tzinfo=UTC))


def test_users_get_the_client_certificate(cluster: Any) -> None:
    user = {"metadata": {"name": "riseml-ida", "labels": {"riseml.io/user": "ida"}}}
    cluster.objects["/api/v1/namespaces/riseml-ida"] = user
    terminating = {
        "metadata": {
            "name": "riseml-bob",
            "labels": {"riseml.io/user": "bob"},
            "deletionTimestamp": "now",
        }
    }
    cluster.objects["/api/v1/namespaces/riseml-bob"] = terminating
    install(cluster, "")
    assert "/api/v1/namespaces/riseml-ida/secrets/riseml-buildkit" in cluster.objects
    assert (
        "/api/v1/namespaces/riseml-bob/secrets/riseml-buildkit" not in cluster.objects
    )
    assert "/api/v1/namespaces/riseml-ida/secrets/buildkitd" not in cluster.objects


def test_uninstalling_keeps_users_and_their_policy(cluster: Any) -> None:
    install(cluster, "")
    user = {"metadata": {"name": "riseml-ida", "labels": {"riseml.io/user": "ida"}}}
    cluster.objects["/api/v1/namespaces/riseml-ida"] = user
    kinds = [body["kind"] for body in installation.removable(cluster, users=False)]
    assert kinds == ["ClusterRole", "ClusterRoleBinding", "Namespace"]
    everything = installation.removable(cluster, users=True)
    assert [
        body["metadata"]["name"] for body in everything if body["kind"] == "Namespace"
    ] == ["riseml-ida", "riseml"]
    assert "ValidatingAdmissionPolicy" in {body["kind"] for body in everything}


def test_argo_is_configured_only_on_request(cluster: Any) -> None:
    at = "/api/v1/namespaces/argo/configmaps/workflow-controller-configmap"
    install(cluster, "")
    assert at not in cluster.objects
    install(cluster, "argo: {configure: true, instanceId: lab}")
    data = cluster.objects[at]["data"]
    assert data["instanceID"] == "lab"
    assert yaml.safe_load(data["nodeEvents"]) == {"enabled": False}
    cluster.objects[at]["data"] = {"config": "nodeEvents: {}"}
    with pytest.raises(InvalidInputError, match="under `config`"):
        install(cluster, "argo: {configure: true}")


def test_values_reach_the_pods() -> None:
    values = parse(
        """
        nodeSelectors: {build: {pool: build}, system: {pool: system}}
        tolerations: [{operator: Exists}]
        imagePullSecrets: [hub]
        buildkit: {rootless: false, image: mine:1, arguments: [--debug], command: [buildkitd]}
        registry: {storageClass: fast, size: 5Gi}
        """
    )
    bodies = {
        (body["kind"], body["metadata"]["name"]): body
        for body in installation.objects(values)
    }
    pod = bodies["Deployment", "buildkitd"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["securityContext"] == {"privileged": True}
    assert (container["image"], container["command"], container["args"][-1]) == (
        "mine:1",
        ["buildkitd"],
        "--debug",
    )
    assert (pod["nodeSelector"], pod["imagePullSecrets"]) == (
        {"pool": "build"},
        [{"name": "hub"}],
    )
    assert bodies["Deployment", "registry"]["spec"]["template"]["spec"][
        "nodeSelector"
    ] == {"pool": "system"}
    assert (
        bodies["PersistentVolumeClaim", "riseml-registry"]["spec"]["storageClassName"]
        == "fast"
    )


def test_buildkit_uses_the_proxy_and_the_authorities() -> None:
    pem = "-----BEGIN CERTIFICATE-----"
    text = f"proxy: {{http: 'http://proxy:3128'}}\ncertificateAuthorities: '{pem}'"
    bodies = {
        (body["kind"], body["metadata"]["name"]): body
        for body in installation.objects(parse(text))
    }
    authorities = bodies["ConfigMap", "riseml-authorities"]
    assert authorities["metadata"]["namespace"] == "riseml"
    assert authorities["data"] == {"ca.crt": pem}
    pod = bodies["Deployment", "buildkitd"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {entry["name"]: entry["value"] for entry in container["env"]}
    assert variables["http_proxy"] == "http://proxy:3128"
    assert variables["SSL_CERT_FILE"] == "/authorities/ca.crt"
    assert container["volumeMounts"][-1]["mountPath"] == "/authorities"


def test_without_builds_there_is_neither_buildkit_nor_a_registry() -> None:
    kinds = {body["kind"] for body in installation.objects(parse("build: none"))}
    assert "Deployment" not in kinds
    assert {"Namespace", "ClusterRole", "ValidatingAdmissionPolicy"} <= kinds


def test_kustomize_applies_the_same_files() -> None:
    (kustomization,) = shipped_files.documents("system/kustomization.yaml")
    assert tuple(kustomization["resources"]) == installation._FILES


def test_gpus_of_a_node_are_read_from_its_labels() -> None:
    labels = {
        "nvidia.com/gpu.memory": "11441",
        "nvidia.com/gpu.product": "Tesla-K80",
        "nvidia.com/cuda.driver.major": "535",
    }
    status = {
        "allocatable": {"cpu": "3500m", "memory": "1Gi", "nvidia.com/gpu": "2"},
        "nodeInfo": {
            "kubeletVersion": "v1.33.0",
            "containerRuntimeVersion": "containerd://2",
        },
    }
    node = overview.node(
        {"metadata": {"name": "a", "labels": labels}, "status": status},
        "nvidia.com/gpu",
    )
    assert (str(node.cpus), node.mem, node.gpus, node.gpu_mem >> 20) == (
        "3.5",
        1 << 30,
        2,
        22882,
    )
    assert (node.gpu_name, node.driver, node.kubelet) == ("Tesla-K80", "535", "1.33.0")
    bare = overview.node({"metadata": {"name": "b"}, "status": {}}, "nvidia.com/gpu")
    assert (bare.gpus, bare.driver) == (0, "")


def _volume(namespace: str, policy: str) -> dict[str, Any]:
    claim = {"namespace": namespace, "name": "riseml-data"}
    return {"spec": {"claimRef": claim, "persistentVolumeReclaimPolicy": policy}}


def test_the_losses_of_users_are_counted() -> None:
    paul = {"name": "riseml-paul", "labels": {"riseml.io/user": "paul"}}
    lists: dict[str, list[dict[str, Any]]] = {
        "/api/v1/namespaces": [{"metadata": paul}],
        "/apis/argoproj.io/v1alpha1/workflows": [{}, {}],
        "/api/v1/persistentvolumes": [
            _volume("riseml-paul", "Delete"),
            _volume("riseml-paul", "Retain"),
            _volume("riseml-paul", "Retain"),
            _volume("others", "Delete"),
            {"spec": {}},
        ],
    }

    class Users:
        def find(self, at: str) -> dict[str, Any] | None:
            return {"resources": [{"name": "workflows"}]}

        def items(self, at: str, **query: Any) -> Iterator[dict[str, Any]]:
            if at.endswith("/workflows"):
                selector = "riseml.io/user,workflows.argoproj.io/completed!=true"
                assert query["labelSelector"] == selector
            yield from lists[at]

    assert losses.of_all_users(cast(Api, Users())) == losses.Losses(("paul",), 2, 1, 2)
