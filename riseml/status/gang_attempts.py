"""Earlier attempts of an experiment whose jobs are retried together."""

from collections.abc import Mapping, Sequence

from riseml.dataclass import replace
from riseml.status import document as doc
from riseml.status import released
from riseml.status.document import Node
from riseml.status.jobs import by_task, read_job
from riseml.status.outline import Outline
from riseml.status.values import ExperimentStatus, JobStatus
from riseml.status.verdict import judge


def read(
    outline: Outline,
    blank: ExperimentStatus,
    root: Node,
    nodes: Sequence[Node],
    sub: str,
) -> Mapping[str, tuple[JobStatus, ...]]:
    """Return the attempts before the last one, by the id of their job."""
    by_name = {doc.text(node.get("name")): node for node in nodes}
    name = doc.text(root.get("name"))
    attempts: dict[str, tuple[JobStatus, ...]] = {}
    number = 0
    while f"{name}({number + 1})" in by_name:
        attempt_name = f"{name}({number})"
        tasks = by_task(f"{attempt_name}.", nodes)
        tasks = released.joined(tasks, outline.planned)
        jobs = []
        for planned in outline.planned:
            task_nodes = tasks.get(planned.task)
            jobs.append(read_job(planned, blank.id, task_nodes, outline.kills, sub))
        attempt_root = by_name.get(attempt_name, {})
        for job in judge(outline, blank, attempt_root, jobs, sub).jobs:
            earlier = attempts.get(job.id, ())
            attempts[job.id] = (*earlier, replace(job, attempt=number))
        number += 1
    return attempts
