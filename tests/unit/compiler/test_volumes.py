"""Volumes of a cluster in the documents that run there."""

import json

from riseml.plan import Target, Volume
from tests.unit.plans import compiled, single, template

VOLUMES = (
    Volume("imagenet", "imagenet-2012", "/data/imagenet"),
    Volume("scratch", "scratch", "/scratch", read_only=False),
)


def test_jobs_mount_further_volumes() -> None:
    document = compiled(single(), target=Target(volumes=VOLUMES))
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in document["spec"]["volumes"]
        if volume["name"].startswith("volume-")
    }
    assert claims == {"volume-imagenet": "imagenet-2012", "volume-scratch": "scratch"}
    mounts = template(document, "train")["container"]["volumeMounts"]
    imagenet = {
        "name": "volume-imagenet",
        "mountPath": "/data/imagenet",
        "readOnly": True,
    }
    scratch = {"name": "volume-scratch", "mountPath": "/scratch", "readOnly": False}
    assert imagenet in mounts
    assert scratch in mounts


def test_pods_run_on_the_only_node_that_can_mount_volumes() -> None:
    document = compiled(single(), target=Target(single_node=True))
    patch = json.loads(document["spec"]["podSpecPatch"])
    affinity = patch["affinity"]["podAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term == {
        "labelSelector": {"matchLabels": {"app": "riseml-store"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    assert "podSpecPatch" not in compiled(single())["spec"]
