"""Overview of a cluster for `riseml system info`: nodes, GPUs, and versions."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from riseml.cluster.api import Api, Object, path
from riseml.dataclass import dataclass
from riseml.errors import NotAllowedError
from riseml.quantities import bytes_of, cores_of

# NVIDIA's feature discovery sets these labels.
_GPU_MEMORY = "nvidia.com/gpu.memory"
_GPU_PRODUCT = "nvidia.com/gpu.product"
_DRIVER = "nvidia.com/cuda.driver-version.full"
# Its older versions set one label for each number of the driver's version.
_OLD_DRIVER = (
    "nvidia.com/cuda.driver.major",
    "nvidia.com/cuda.driver.minor",
    "nvidia.com/cuda.driver.rev",
)
_MIB = 1 << 20


@dataclass(frozen=True)
class Node:
    """Node that runs jobs, with what its jobs can use together.

    `mem` and `gpu_mem` are bytes; `gpu_mem` is that of all GPUs. The memory, name and
    driver of GPUs are known only if NVIDIA's feature discovery labels the node.
    """

    name: str
    cpus: Decimal
    mem: int
    gpus: int
    gpu_mem: int
    gpu_name: str
    driver: str
    kubelet: str
    runtime: str


@dataclass(frozen=True)
class Versions:
    """Versions of a cluster's components, empty if unknown.

    `built` is the date of the Kubernetes build, and `cluster` the cluster's id.
    """

    kubernetes: str
    built: str
    argo: str
    cluster: str


def nodes(api: Api, gpu_resource: str) -> list[Node]:
    """Return the schedulable nodes, sorted by name."""
    schedulable = []
    for body in api.items(path("nodes")):
        if not body.get("spec", {}).get("unschedulable"):
            schedulable.append(node(body, gpu_resource))
    return sorted(schedulable, key=lambda node: node.name)


def node(body: Object, gpu_resource: str) -> Node:
    """Return the node that a Kubernetes object describes."""
    status = body["status"]
    allocatable: Mapping[str, Any] = status.get("allocatable", {})
    labels: Mapping[str, str] = body["metadata"].get("labels", {})
    info = status.get("nodeInfo", {})
    gpus = int(allocatable.get(gpu_resource, 0))
    return Node(
        name=body["metadata"]["name"],
        cpus=cores_of(str(allocatable.get("cpu", 0))),
        mem=bytes_of(str(allocatable.get("memory", 0))),
        gpus=gpus,
        gpu_mem=gpus * int(labels.get(_GPU_MEMORY, 0)) * _MIB,
        # Labels may remain on a node after its GPUs have been removed.
        gpu_name=labels.get(_GPU_PRODUCT, "") if gpus else "",
        driver=_driver(labels) if gpus else "",
        kubelet=info.get("kubeletVersion", "").removeprefix("v"),
        runtime=info.get("containerRuntimeVersion", ""),
    )


def gpu_products(api: Api) -> tuple[str, ...]:
    """Return the products of all GPUs, as nodes are labelled with them; none if nodes may not be listed."""
    products = set()
    try:
        for body in api.items(path("nodes")):
            products.add(body["metadata"].get("labels", {}).get(_GPU_PRODUCT, ""))
    except NotAllowedError:
        return ()
    return tuple(sorted(filter(None, products)))


def versions(api: Api) -> Versions:
    """Return the versions of the API server and of its Argo Workflows."""
    version = api.get("/version")
    # Kubernetes has no id of its own for a cluster; this namespace lives as long.
    system = api.find(path("namespaces", None, "kube-system"))
    return Versions(
        kubernetes=version.get("gitVersion", "").removeprefix("v"),
        built=version.get("buildDate", ""),
        argo=_argo_version(api),
        cluster=system["metadata"]["uid"] if system else "",
    )


def _driver(labels: Mapping[str, str]) -> str:
    numbers = [labels[name] for name in _OLD_DRIVER if labels.get(name)]
    return labels.get(_DRIVER) or ".".join(numbers)


def _argo_version(api: Api) -> str:
    """Return the tag of the controller's image, without its `v`."""
    try:
        for deployment in api.items(path("deployments")):
            for container in deployment["spec"]["template"]["spec"]["containers"]:
                image = container["image"]
                if "workflow-controller:" in image:
                    tag = image.partition("@")[0].rpartition(":")[2]
                    return str(tag).removeprefix("v")
    except NotAllowedError:
        # Only administrators may list the Deployments of all namespaces.
        return ""
    return ""
