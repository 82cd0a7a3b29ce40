"""Kueue: pods with the label of a LocalQueue are held back by a gate until there is quota for them.

    group      the pods with one `pod-group-name` are one Workload, and start together
    attempt    has a group of its own, since a group that has ended takes no more pods

Tried with Kueue 0.19.2.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml.queues import PodFields, Request, Settings

REPEATS_GROUPS = False
GROUP = "kueue.x-k8s.io"
VERSION = f"{GROUP}/v1beta2"
GATE = f"{GROUP}/admission"
QUEUE_LABEL = f"{GROUP}/queue-name"
GROUP_LABEL = f"{GROUP}/pod-group-name"
PRIORITY_LABEL = f"{GROUP}/priority-class"
_COUNT = f"{GROUP}/pod-group-total-count"
_RETRIABLE = f"{GROUP}/retriable-in-group"


def is_used(settings: Settings, request: Request) -> bool:
    """Return whether a LocalQueue is named, by the job or for the whole cluster."""
    return bool(request.queue_in(settings))


def pod(settings: Settings, request: Request) -> PodFields:
    """Return the labels and annotations of a pod in a LocalQueue."""
    labels = {QUEUE_LABEL: request.queue_in(settings)}
    if request.priority:
        labels[PRIORITY_LABEL] = request.priority
    if not request.group:
        return PodFields(labels)
    labels[GROUP_LABEL] = request.group
    # Otherwise the group would keep its quota for replacements of pods that have failed,
    # and for a parameter server that was stopped at the end.
    annotations = {_COUNT: str(request.members), _RETRIABLE: "false"}
    return PodFields(labels, annotations)


def group(settings: Settings, request: Request) -> Mapping[str, Any] | None:
    """Return None: Kueue makes the Workload of a group itself."""
    del settings, request
    return None


def rights() -> Sequence[Mapping[str, Any]]:
    """Return the rights to read Workloads and queues, also how long a queue is."""
    read = ["get", "list", "watch"]
    position = {
        "apiGroups": [f"visibility.{GROUP}"],
        "resources": ["localqueues/pendingworkloads"],
        "verbs": ["get"],
    }
    own = {
        "apiGroups": [GROUP],
        "resources": ["workloads", "localqueues"],
        "verbs": read,
    }
    return [own, position]


def user_objects(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Return the LocalQueue of each user if the values name a ClusterQueue."""
    if not settings.get("clusterQueue"):
        return []
    return [
        {
            "apiVersion": VERSION,
            "kind": "LocalQueue",
            "metadata": {"name": settings["queue"]},
            "spec": {"clusterQueue": settings["clusterQueue"]},
        }
    ]
