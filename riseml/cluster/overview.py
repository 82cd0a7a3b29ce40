"""What a cluster consists of, for `riseml system info`: its nodes, their GPUs, the versions of its parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from riseml.cluster.api import Api, Object, path
from riseml.errors import NotAllowedError
from riseml.quantities import bytes_of, cores_of

_NVIDIA = "nvidia.com/"
_MIB = 1 << 20


@dataclass(frozen=True)
class Node:
    """A node that jobs can be put on. What GPUs are is known where NVIDIA's feature discovery labels nodes."""

    name: str
    cpus: Decimal
    mem: int
    gpus: int
    # Bytes, of all of them
    gpu_mem: int
    gpu_name: str
    driver: str
    kubelet: str
    runtime: str


@dataclass(frozen=True)
class Versions:
    """The versions of a cluster's parts; empty where it does not tell."""

    kubernetes: str
    built: str
    argo: str
    cluster: str


def nodes(api: Api, gpu_resource: str) -> list[Node]:
    """Return the schedulable nodes by name."""
    found = (
        each
        for each in api.items(path("nodes"))
        if not each.get("spec", {}).get("unschedulable")
    )
    return sorted(
        (node(each, gpu_resource) for each in found), key=lambda each: each.name
    )


def node(found: Object, gpu_resource: str) -> Node:
    """Return what a Kubernetes node says of itself."""
    status = found["status"]
    room: Mapping[str, Any] = status.get("allocatable", {})
    told: Mapping[str, str] = found["metadata"].get("labels", {})
    gpus = int(room.get(gpu_resource, 0))
    each = int(told.get(f"{_NVIDIA}gpu.memory", 0)) * _MIB
    old = ".".join(
        filter(
            None,
            (
                told.get(f"{_NVIDIA}cuda.driver.{part}")
                for part in ("major", "minor", "rev")
            ),
        )
    )
    info = status.get("nodeInfo", {})
    return Node(
        name=found["metadata"]["name"],
        cpus=cores_of(str(room.get("cpu", 0))),
        mem=bytes_of(str(room.get("memory", 0))),
        gpus=gpus,
        gpu_mem=each * gpus,
        gpu_name=told.get(f"{_NVIDIA}gpu.product", "") if gpus else "",
        driver=(told.get(f"{_NVIDIA}cuda.driver-version.full") or old) if gpus else "",
        kubelet=info.get("kubeletVersion", "").removeprefix("v"),
        runtime=info.get("containerRuntimeVersion", ""),
    )


def versions(api: Api) -> Versions:
    """Return the versions of the API server and of the Argo that runs there."""
    told = api.get("/version")
    cluster = api.find(path("namespaces", None, "kube-system")) or {
        "metadata": {"uid": ""}
    }
    return Versions(
        kubernetes=told.get("gitVersion", "").removeprefix("v"),
        built=told.get("buildDate", ""),
        argo=_argo(api),
        cluster=cluster["metadata"]["uid"],
    )


def _argo(api: Api) -> str:
    """Return the version in the name of the controller's image."""
    try:
        found = api.items("/apis/apps/v1/deployments")
        images = [
            c["image"]
            for each in found
            for c in each["spec"]["template"]["spec"]["containers"]
        ]
    except NotAllowedError:
        return ""
    named = [
        image.partition("@")[0].rpartition(":")[2]
        for image in images
        if "workflow-controller:" in image
    ]
    return named[0].removeprefix("v") if named else ""
