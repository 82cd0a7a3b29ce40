"""Volumes in the values of an installation: claims that exist, further volumes, and volumes of one node."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from riseml.cluster import namespace_objects
from riseml.cluster.api import Api, Object
from riseml.cluster.user_namespace import UserNamespace
from riseml.cluster.values import Values, parse
from riseml.errors import InvalidInputError
from riseml.plan import Target, Volume

VOLUMES = """
volumes:
  imagenet: {claim: imagenet-2012, path: /data/imagenet}
  scratch: {source: {nfs: {server: 10.0.0.5, path: "/export/{namespace}"}}, path: /scratch, read_only: false}
"""
IMAGENET = Volume("imagenet", "imagenet-2012", "/data/imagenet", read_only=True)
SCRATCH = Volume("scratch", "riseml-volume-scratch", "/scratch", read_only=False)


def target_of(values: Values) -> Target:
    """Return the target as a client reads it from the user's namespace."""
    data = namespace_objects.settings_data("paul", values.offer())
    settings = {"data": json.loads(json.dumps(data))}
    api = cast(Api, SimpleNamespace(get=lambda _: settings))
    return UserNamespace(api, "riseml-paul").target


def store_of(values: Values) -> Any:
    """Return the store's pod."""
    return namespace_objects.managed(values.offer())[-1]["spec"]["template"]["spec"]


def claims_of(values: Values) -> dict[str, tuple[Object, Object | None]]:
    by_name = {}
    for claim, volume in namespace_objects.claims("paul", values.offer()):
        by_name[claim["metadata"]["name"]] = claim["spec"], volume
    return by_name


def test_jobs_get_further_volumes() -> None:
    assert target_of(parse(VOLUMES)).volumes == (IMAGENET, SCRATCH)
    assert target_of(parse("")).volumes == ()


def test_the_store_has_further_volumes_as_jobs_do() -> None:
    pod = store_of(parse(VOLUMES))
    imagenet, scratch = pod["volumes"][3:]
    assert imagenet == {
        "name": "volume-imagenet",
        "persistentVolumeClaim": {"claimName": "imagenet-2012", "readOnly": True},
    }
    assert scratch["persistentVolumeClaim"]["claimName"] == "riseml-volume-scratch"
    assert pod["containers"][0]["volumeMounts"][3:] == [
        {"name": "volume-imagenet", "mountPath": "/data/imagenet", "readOnly": True},
        {"name": "volume-scratch", "mountPath": "/scratch", "readOnly": False},
    ]


def test_a_source_becomes_a_volume_and_a_claim_of_each_user() -> None:
    claims = claims_of(parse(VOLUMES))
    assert list(claims) == [
        "riseml-data",
        "riseml-output",
        "riseml-store",
        "riseml-volume-scratch",
    ]
    claim, volume = claims["riseml-volume-scratch"]
    assert volume is not None
    assert claim["volumeName"] == "riseml-paul-riseml-volume-scratch"
    assert volume["metadata"]["name"] == "riseml-paul-riseml-volume-scratch"
    nfs = {"server": "10.0.0.5", "path": "/export/riseml-paul"}
    assert volume["spec"]["nfs"] == nfs
    assert volume["spec"]["claimRef"]["name"] == "riseml-volume-scratch"


def test_claims_that_exist_take_the_place_of_those_that_riseml_makes() -> None:
    values = parse("storage: {claims: {data: corpus, output: results}}")
    assert list(claims_of(values)) == ["riseml-store"]
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in store_of(values)["volumes"]
    ]
    assert claims == ["riseml-store", "corpus", "results"]
    target = target_of(values)
    assert (target.data_claim, target.output_claim) == ("corpus", "results")
    assert target.store_claim == "riseml-store"


def test_volumes_of_one_node_are_claimed_for_one_node() -> None:
    values = parse("storage: {accessMode: ReadWriteOnce}")
    modes = [claim["accessModes"] for claim, _ in claims_of(values).values()]
    assert modes == [["ReadWriteOnce"]] * 3
    assert target_of(values).single_node
    affinity = store_of(values)["affinity"]["podAffinity"]
    (preference,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    selector = preference["podAffinityTerm"]["labelSelector"]
    expressions = [{"key": "riseml.io/experiment", "operator": "Exists"}]
    assert selector == {"matchExpressions": expressions}
    assert not target_of(parse("")).single_node
    assert "affinity" not in store_of(parse(""))


def test_the_artifact_repository_may_keep_output() -> None:
    text = "storage: {accessMode: ReadWriteOnce, outputs: artifacts}"
    target = target_of(parse(text))
    assert target.saves_artifacts
    # Only the store mounts the volumes.
    assert not target.single_node
    assert not target_of(parse("")).saves_artifacts


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("{path: /x}", "'volumes.v' must have either a claim"),
        (
            "{claim: c, source: {nfs: {}}, path: /x}",
            "'volumes.v' must have either a claim",
        ),
        ("{claim: C_1, path: /x}", "'volumes.v.claim' must be the name of a claim"),
        ("{source: nfs, path: /x}", "'volumes.v.source' must be a mapping"),
        ("{claim: c, path: x}", "'volumes.v.path' must be an absolute path"),
        ("{claim: c, path: /x/../y}", "'volumes.v.path' must be an absolute path"),
        ("{claim: c}", "'volumes.v.path' must be an absolute path"),
        ("{claim: c, path: /data}", "that pods need for nothing else"),
        ("{claim: c, path: /code/x}", "that pods need for nothing else"),
        ("{claim: c, path: /x, read_only: 1}", "'volumes.v.read_only' must be true"),
        ("{claim: c, path: /x, readonly: true}", "there is no key 'volumes.v.readonly'"),
        ("imagenet", "'volumes.v' must be a mapping"),
    ],
)  # fmt: skip
def test_faults_of_a_volume_are_reported(entry: str, fault: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        parse(f"volumes: {{v: {entry}}}")
    assert fault in str(error.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "volumes: {a: {claim: c, path: /x}, b: {claim: d, path: /x}}",
            "'volumes.b.path' is that of 'volumes.a', too",
        ),
        ("volumes: {A: {claim: c, path: /x}}", "lower-case letters"),
        (
            "storage: {accessMode: ReadWriteMost}",
            "'storage.accessMode' must be ReadWriteMany or ReadWriteOnce",
        ),
        ("storage: {outputs: s3}", "'storage.outputs' must be volume or artifacts"),
        ("storage: {claims: {data: A_B}}", "'storage.claims.data' must be the name"),
    ],
)
def test_faults_among_volumes_are_reported(text: str, fault: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        parse(text)
    assert fault in str(error.value)
