"""What is made for a user: names filled in, quotas of three words, a volume for each claim if settled so."""

import json
from typing import Any

import pytest

from riseml.cluster import namespace_objects
from riseml.cluster.namespace_objects import Offer
from riseml.errors import InvalidInputError

GPU = "nvidia.com/gpu"


def _hard(limits: dict[str, str | None], before: dict[str, str] | None = None) -> Any:
    found = namespace_objects.quota(limits, before or {}, GPU)
    return found and found["spec"]["hard"]


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
def test_a_quota_counts_what_jobs_ask_for(
    limits: dict[str, str | None], hard: dict[str, str] | None
) -> None:
    assert _hard(limits) == hard


def test_limits_that_are_not_named_stay() -> None:
    before = {"requests.cpu": "4", "requests.nvidia.com/gpu": "1"}
    assert _hard({"gpus": "2"}, before) == {
        "requests.cpu": "4",
        "requests.nvidia.com/gpu": "2",
    }
    assert _hard({"gpus": None}, before) == {"requests.cpu": "4"}
    assert _hard({"gpus": None, "cpus": None}, before) is None


@pytest.mark.parametrize(
    "wrong",
    [{"cpus": "many"}, {"mem": "4 GB"}, {"gpus": "1.5"}, {"gpus": "-1"}, {"mem": "-1"}],
)
def test_what_is_no_amount_is_refused(wrong: dict[str, str | None]) -> None:
    with pytest.raises(InvalidInputError):
        _hard(wrong)


def test_each_claim_gets_its_own_volume_from_a_template() -> None:
    offer = Offer(
        volumes={"nfs": {"server": "10.0.0.5", "path": "/export/{namespace}/{claim}"}}
    )
    made = {
        claim["metadata"]["name"]: volume
        for claim, volume in namespace_objects.claims("paul", offer)
    }
    assert list(made) == ["riseml-data", "riseml-output", "riseml-store"]
    volume = made["riseml-data"]
    assert volume is not None
    assert volume["spec"]["nfs"]["path"] == "/export/riseml-paul/riseml-data"
    assert volume["spec"]["claimRef"] == {
        "namespace": "riseml-paul",
        "name": "riseml-data",
    }


def test_claims_are_of_the_class_and_the_size_that_are_settled() -> None:
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
    space = namespace_objects.namespace("paul", "paul@example.com")[0]["metadata"]
    assert space["name"] == "riseml-paul"
    assert space["labels"] == {
        "riseml.io/user": "paul",
        "pod-security.kubernetes.io/enforce": "baseline",
    }


def test_the_settings_say_whose_they_are_and_what_the_cluster_is_like() -> None:
    first = namespace_objects.settings(
        "paul", Offer(target={"registry": "registry:5000"})
    )[0]["data"]
    assert (first["user"], first["number"]) == ("paul", "0")
    assert json.loads(first["target"]) == {"registry": "registry:5000"}
