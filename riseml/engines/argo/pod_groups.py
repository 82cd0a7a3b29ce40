"""PodGroups: objects that Volcano and the co-scheduling plug-in need for each gang.

They exist before the Workflow, since a pod without its group would start alone, and are
deleted with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from riseml import labels, queues
from riseml.cluster.api import Object, path, path_of
from riseml.cluster.user_namespace import UserNamespace
from riseml.compiler import limits
from riseml.dataclass import replace
from riseml.plan import ExperimentSet


def make(
    namespace: UserNamespace, plan: ExperimentSet, documents: Sequence[Object]
) -> dict[str, list[Object]]:
    """Create the groups of all gangs, and return them by the name of their Workflow.

    Most queues need none.
    """
    if not plan.is_gang:
        return {}
    queue, settings = queues.find(namespace.target.queue)
    members = sum(job.count for job in plan.jobs)
    request = queues.Request(plan.queue, plan.priority, "", members)
    groups: dict[str, list[Object]] = {}
    for document in documents:
        name = document["metadata"]["name"]
        for item in limits.experiment_items(document):
            group = f"{name}-{item[labels.SUB_PARAMETER]}"
            body = queue.group(settings, replace(request, group=group))
            if body is None:
                return {}
            namespace.api.ensure(_collection(body, namespace), dict(body))
            groups.setdefault(name, []).append(dict(body))
    return groups


def hand_over(namespace: UserNamespace, groups: Mapping[str, list[Object]]) -> None:
    """Let groups be deleted with their Workflow."""
    for name, bodies in groups.items():
        workflow = namespace.api.get(path("workflows", namespace.namespace, name))
        owner = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "name": name,
            "uid": workflow["metadata"]["uid"],
        }
        patch = {"metadata": {"ownerReferences": [owner]}}
        for body in bodies:
            namespace.api.patch(path_of(body, namespace.namespace), patch)


def _collection(body: Mapping[str, Any], namespace: UserNamespace) -> str:
    collection, _, _ = path_of(body, namespace.namespace).rpartition("/")
    return collection
