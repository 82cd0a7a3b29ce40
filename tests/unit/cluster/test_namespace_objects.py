"""Objects of a user's namespace: names, quotas, claims and their volumes."""

import json
from typing import Any

import pytest

from riseml.cluster import namespace_objects
from riseml.cluster.namespace_objects import Offer
from riseml.errors import InvalidInputError

GPU = "nvidia.com/gpu"


def _hard(limits: dict[str, str | None], current: dict[str, str] | None = None) -> Any:
    quota = namespace_objects.quota(limits, current or {}, GPU)
    return quota and quota["spec"]["hard"]


@pytest.mark.parametrize(
    ("limits", "hard"),
    [
        ({}, None),
        ({"cpus": "4"}, {"requests.cpu": "4"}),
        ({"cpus": "1.5"}, {"requests.cpu": "1500m"}),
        ({"mem": "512"}, {"requests.memory": "512M"}),
        ({"mem": "64Gi"}, {"requests.memory": "64Gi"}),
        ({"gpus": "0"}, {"requests.nvidia.com/gpu": "0"}),
    ],
)
def test_a_quota_limits_the_requests_of_jobs(
    limits: dict[str, str | None], hard: dict[str, str] | None
) -> None:
    assert _hard(limits) == hard


def test_limits_that_are_not_named_remain() -> None:
    current = {"requests.cpu": "4", "requests.nvidia.com/gpu": "1"}
    assert _hard({"gpus": "2"}, current) == {
        "requests.cpu": "4",
        "requests.nvidia.com/gpu": "2",
    }
    assert _hard({"gpus": None}, current) == {"requests.cpu": "4"}
    assert _hard({"gpus": None, "cpus": None}, current) is None


@pytest.mark.parametrize(
    "wrong",
    [{"cpus": "many"}, {"mem": "4 GB"}, {"gpus": "1.5"}, {"gpus": "-1"}, {"mem": "-1"}],
)
def test_invalid_amounts_are_rejected(wrong: dict[str, str | None]) -> None:
    with pytest.raises(InvalidInputError):
        _hard(wrong)


def test_each_claim_gets_its_own_volume_from_a_template() -> None:
    offer = Offer(
        volumes={"nfs": {"server": "10.0.0.5", "path": "/export/{namespace}/{claim}"}}
    )
    volumes = {
        claim["metadata"]["name"]: volume
        for claim, volume in namespace_objects.claims("paul", offer)
    }
    assert list(volumes) == ["riseml-data", "riseml-output", "riseml-store"]
    volume = volumes["riseml-data"]
    assert volume is not None
    assert volume["spec"]["nfs"]["path"] == "/export/riseml-paul/riseml-data"
    assert volume["spec"]["claimRef"] == {
        "namespace": "riseml-paul",
        "name": "riseml-data",
    }


def test_claims_have_the_configured_class_and_size() -> None:
    offer = Offer(storage_class="fast", sizes={"riseml-data": "1Ti"})
    claims = [
        claim["spec"]
        for claim, volume in namespace_objects.claims("paul", offer)
        if volume is None
    ]
    assert [spec["storageClassName"] for spec in claims] == ["fast"] * 3
    assert claims[0]["resources"]["requests"]["storage"] == "1Ti"
    assert (
        "storageClassName"
        not in next(iter(namespace_objects.claims("paul", Offer())))[0]["spec"]
    )


def test_the_namespace_enforces_pod_security_and_names_its_user() -> None:
    metadata = namespace_objects.namespace("paul", "paul@example.com")[0]["metadata"]
    assert metadata["name"] == "riseml-paul"
    assert metadata["labels"] == {
        "riseml.io/user": "paul",
        "pod-security.kubernetes.io/enforce": "baseline",
    }


def test_the_settings_contain_the_user_and_the_target() -> None:
    data = namespace_objects.settings(
        "paul", Offer(target={"registry": "registry:5000"})
    )[0]["data"]
    assert (data["user"], data["number"]) == ("paul", "0")
    assert json.loads(data["target"]) == {"registry": "registry:5000"}


def test_the_store_has_the_proxies_and_the_namespace_the_authorities() -> None:
    proxies = {"HTTP_PROXY": "http://proxy:1", "http_proxy": "http://proxy:1"}
    offer = Offer(target={"proxies": proxies}, authorities="PEM")
    bodies = {
        body["metadata"]["name"]: body for body in namespace_objects.managed(offer)
    }
    assert bodies["riseml-authorities"]["data"] == {"ca.crt": "PEM"}
    pod = bodies["riseml-store"]["spec"]["template"]["spec"]
    variables = pod["containers"][0]["env"]
    assert {entry["name"]: entry["value"] for entry in variables} == proxies
    names = {body["metadata"]["name"] for body in namespace_objects.managed(Offer())}
    assert "riseml-authorities" not in names
