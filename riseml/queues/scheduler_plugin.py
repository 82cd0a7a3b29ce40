"""Co-scheduling: the plug-in of the Kubernetes scheduler that starts the pods of a PodGroup together.

It follows the documentation of scheduler-plugins 0.34, and has not been tried. It has no
queues: a `queue` in riseml.yml is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml.queues import PodFields, Request, Settings

REPEATS_GROUPS = True
_GROUP = "scheduling.x-k8s.io"
_SCHEDULER = "scheduler-plugins-scheduler"


def is_used(settings: Settings, request: Request) -> bool:
    """Return whether the job is one of a gang; the plug-in has nothing to do for others."""
    del settings
    return bool(request.group)


def pod(settings: Settings, request: Request) -> PodFields:
    """Return the scheduler and the label of a pod."""
    labels = {f"{_GROUP}/pod-group": request.group}
    scheduler = settings.get("scheduler") or _SCHEDULER
    return PodFields(labels, {}, scheduler, request.priority)


def group(settings: Settings, request: Request) -> Mapping[str, Any] | None:
    """Return the PodGroup of a gang."""
    del settings
    return {
        "apiVersion": f"{_GROUP}/v1alpha1",
        "kind": "PodGroup",
        "metadata": {"name": request.group},
        "spec": {"minMember": request.members},
    }


def rights() -> Sequence[Mapping[str, Any]]:
    """Return the rights to make and read PodGroups."""
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    return [{"apiGroups": [_GROUP], "resources": ["podgroups"], "verbs": verbs}]


def user_objects(settings: Settings) -> Sequence[Mapping[str, Any]]:
    """Return nothing: the plug-in has no queues."""
    del settings
    return []
