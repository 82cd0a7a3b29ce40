"""Pods that a queue of the cluster holds back: what it says about them."""

from collections.abc import Iterable
from operator import itemgetter

from riseml.cluster.api import Api, Object
from riseml.errors import RiseMLError
from riseml.queues import kueue, workloads

_VISIBILITY = f"visibility.{kueue.VERSION}"


def texts(api: Api, namespace: str, pods: Iterable[Object]) -> dict[str, str]:
    """Return where pods stand in their queue, by their names.

    Pods that wait for nothing are left out, and so are all if the user may not read
    Workloads.
    """
    gated = list(filter(workloads.is_gated, pods))
    if not gated:
        return {}
    try:
        listed = list(api.items(_path(kueue.VERSION, namespace, "workloads")))
    except RiseMLError:
        return {}
    queues = {workload["spec"].get("queueName", "") for workload in listed}
    positions: dict[str, int] = {}
    for queue in queues:
        positions.update(_positions(api, namespace, queue))
    texts_of_pods = {}
    for pod in gated:
        text = workloads.text_of(pod, listed, positions)
        texts_of_pods[pod["metadata"]["name"]] = text
    return dict(filter(itemgetter(1), texts_of_pods.items()))


def _positions(api: Api, namespace: str, queue: str) -> dict[str, int]:
    """Return the places of the user's Workloads in the whole ClusterQueue, by name.

    They are empty on clusters without Kueue's visibility server.
    """
    url = _path(_VISIBILITY, namespace, f"localqueues/{queue}/pendingworkloads")
    try:
        pending = api.get(url)
    except RiseMLError:
        return {}
    # Kueue counts from 0.
    return {
        entry["metadata"]["name"]: entry["positionInClusterQueue"] + 1
        for entry in pending.get("items", ())
    }


def _path(version: str, namespace: str, rest: str) -> str:
    return f"/apis/{version}/namespaces/{namespace}/{rest}"
