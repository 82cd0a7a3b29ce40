"""Values that an administrator configures, and their effect on users."""

import json
from dataclasses import fields
from typing import Any

import pytest

from riseml.cluster import values
from riseml.errors import InvalidInputError
from riseml.plan import Target


class FakeApi:
    """Cluster with the ConfigMap of the values, or without it."""

    def __init__(self, body: dict[str, Any] | None = None) -> None:
        self.body = body

    def find(self, at: str) -> dict[str, Any] | None:
        assert at == "/api/v1/namespaces/riseml/configmaps/riseml-values"
        return self.body


def test_an_empty_file_contains_the_defaults() -> None:
    defaults = values.parse("")
    assert defaults["gpuResource"] == "nvidia.com/gpu"
    assert defaults.target() == {
        "pull_registry": "localhost:31500",
        "insecure_registry": True,
    }
    assert values.parse("# nothing but a comment\n") == defaults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("gpuResorce: x", "there is no key 'gpuResorce'; did you mean 'gpuResource'?"),
        (
            "storage: {sizes: {output: 5Gi, outptu: 6Gi}}",
            "did you mean 'storage.sizes.output'?",
        ),
        (
            "registry: {deploy: 'yes'}",
            "'registry.deploy' must be true or false, not 'yes'",
        ),
        ("registry: {nodePort: true}", "'registry.nodePort' must be a whole number"),
        ("registry: {address: null}", "'registry.address' must be text"),
        ("tolerations: {}", "'tolerations' must be a list"),
        ("[1]", "values.yml:1:1: this must be a mapping"),
        ("a: [", "values.yml:1:5: the value that begins here is not closed"),
        ("a: !!int x", "values.yml:1:4: 'x' is not a number"),
    ],
)
def test_faults_are_reported(text: str, fault: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        values.parse(text)
    assert fault in str(error.value)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(InvalidInputError) as error:
        values.parse("a: 1\nb: 2\n")
    assert str(error.value).count("there is no key") == 2


def test_targets_contain_only_what_differs_from_the_defaults() -> None:
    target = values.parse(
        """
        nodeSelectors: {training: {pool: gpu}, build: {pool: build}}
        tolerations: [{key: gpu, operator: Exists}]
        imagePullSecrets: [hub]
        registry: {address: "reg.example:5000", pullAddress: "reg.example:5000", insecure: false}
        buildkit: {address: "tcp://there:1"}
        images: {git: mine/git:1}
        argo: {instanceId: lab}
        gpuResource: amd.com/gpu
        """
    ).target()
    assert target == {
        "git_image": "mine/git:1",
        "buildkit": "tcp://there:1",
        "registry": "reg.example:5000",
        "gpu_resource": "amd.com/gpu",
        "node_selector": {"pool": "gpu"},
        "build_node_selector": {"pool": "build"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "pull_secrets": ["hub"],
        "instance": "lab",
    }
    assert set(target) <= {field.name for field in fields(Target)}


PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"


def test_a_site_with_a_proxy_and_authorities_of_its_own() -> None:
    text = f"""
        proxy: {{https: "http://proxy.example:3128", except: ".example,10.0.0.0/8"}}
        certificateAuthorities: {json.dumps(PEM)}
        build: none
        """
    site = values.parse(text)
    direct = "localhost,127.0.0.1,.svc,.cluster.local,.riseml,riseml,registry.riseml,.example,10.0.0.0/8"
    target = site.target()
    assert target["proxies"] == {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "https_proxy": "http://proxy.example:3128",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
    assert (target["authorities"], target["builds"]) == ("riseml-authorities", False)
    assert site.offer().authorities == PEM
    assert not site.deploys("buildkit")
    assert not site.deploys("registry")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("build: kaniko", "'build' must be buildkit or none, not kaniko"),
        ("proxy: {http: proxy}", "'proxy.http' must be a URL such as"),
        ("proxy: {https: 'http://a b'}", "'proxy.https' must be a URL"),
        ("proxy: {except: 'a, b'}", "'proxy.except' must be hosts with commas"),
        ("certificateAuthorities: /etc/ca.crt", "must be PEM text"),
    ],
)
def test_faults_of_a_site_are_reported(text: str, fault: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        values.parse(text)
    assert fault in str(error.value)


def test_an_offer_contains_the_storage() -> None:
    volumes = "{hostPath: {path: '/srv/{namespace}/{claim}'}}"
    offer = values.parse(
        f"storage: {{volumes: {volumes}, sizes: {{output: 1Gi}}, storageClass: fast}}"
    ).offer()
    assert offer.volumes == {"hostPath": {"path": "/srv/{namespace}/{claim}"}}
    assert offer.sizes == {
        "riseml-data": "50Gi",
        "riseml-output": "1Gi",
        "riseml-store": "10Gi",
    }
    assert offer.storage_class == "fast"


def test_the_cluster_stores_the_given_values() -> None:
    given = values.parse(
        "gpuResource: amd.com/gpu\nnodeSelectors: {training: {a: b}}\n"
    )
    assert values.read_values(FakeApi(values.config_map(given))) == given  # type: ignore[arg-type]
    assert values.read_values(FakeApi()) == values.parse("")  # type: ignore[arg-type]


def test_keys_of_a_newer_version_are_ignored() -> None:
    body = values.config_map(values.parse("gpuResource: amd.com/gpu\n"))
    body["data"]["values.yml"] += "later: {a: 1}\nregistry: {later: 1}\n"
    assert values.read_values(FakeApi(body)).target()["gpu_resource"] == "amd.com/gpu"  # type: ignore[arg-type]
