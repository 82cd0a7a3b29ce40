"""Volcano: its own scheduler, which starts the pods of a PodGroup together.

It follows the documentation of Volcano 1.14, and has not been tried.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml.queues import PodFields, Request, Settings

REPEATS_GROUPS = True
_GROUP = "scheduling.volcano.sh"
# Older versions read only this one.
_GROUP_NAME = "scheduling.k8s.io/group-name"
_QUEUE_NAME = f"{_GROUP}/queue-name"
_SCHEDULER = "volcano"


def is_used(settings: Settings, request: Request) -> bool:
    """Return True: all jobs of the cluster go through Volcano."""
    del settings, request
    return True


def pod(settings: Settings, request: Request) -> PodFields:
    """Return the scheduler and the annotations of a pod."""
    annotations = {}
    queue = request.queue_in(settings)
    if queue:
        annotations[_QUEUE_NAME] = queue
    if request.group:
        annotations[_GROUP_NAME] = request.group
        annotations[f"{_GROUP}/group-name"] = request.group
    scheduler = settings.get("scheduler") or _SCHEDULER
    return PodFields({}, annotations, scheduler, request.priority)


def group(settings: Settings, request: Request) -> Mapping[str, Any] | None:
    """Return the PodGroup of a gang."""
    spec: dict[str, Any] = {"minMember": request.members}
    queue = request.queue_in(settings)
    if queue:
        spec["queue"] = queue
    if request.priority:
        spec["priorityClassName"] = request.priority
    return {
        "apiVersion": f"{_GROUP}/v1beta1",
        "kind": "PodGroup",
        "metadata": {"name": request.group},
        "spec": spec,
    }


def rights() -> Sequence[Mapping[str, Any]]:
    """Return the rights to make and read PodGroups."""
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    return [{"apiGroups": [_GROUP], "resources": ["podgroups"], "verbs": verbs}]


def user_objects(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Return nothing: Volcano's queues belong to the whole cluster."""
    del settings
    return []
