"""Jobs of a gang that gave their resources back: Argo starts them again within one attempt.

    master        Retry    the task
    master(0)     Failed   exit code RELEASED_CODE: others did not come
    master(1)     Pending  waits for room again

For everyone but Argo, this is one job that still waits.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter

from riseml import labels
from riseml.status import document as doc
from riseml.status import reasons
from riseml.status.document import Node
from riseml.status.jobs import FINAL, TaskNodes
from riseml.status.outline import PlannedJob


def joined(
    tasks: Mapping[str, TaskNodes], planned: Iterable[PlannedJob]
) -> dict[str, TaskNodes]:
    """Return the nodes of tasks, with one node for each job that may give its resources back."""
    jobs = filter(attrgetter("may_release"), planned)
    names = map(attrgetter("task"), jobs)
    joined_tasks = {
        name: TaskNodes(_joined(tasks[name])) for name in filter(tasks.get, names)
    }
    return {**tasks, **joined_tasks}


def _joined(nodes: TaskNodes) -> Node:
    task = nodes.node
    _, last = nodes.last
    # The job has waited since its task began.
    started = task.get("startedAt") or last.get("startedAt")
    node = {**last, "type": "Pod", "startedAt": started}
    outputs = doc.mapping(last.get("outputs"))
    if outputs.get("exitCode") != labels.RELEASED_CODE:
        return node
    # It waited for room until its task ended, and no program has given it an exit code.
    node.update(
        finishedAt=task.get("finishedAt"), message=doc.text(task.get("message"))
    )
    node["outputs"] = {**outputs, "exitCode": None}
    if doc.text(task.get("phase")) not in FINAL:
        missing = doc.parameters(outputs).get(labels.MISSING, "")
        node.update(phase="Pending", message=reasons.RELEASED + missing)
    return node
