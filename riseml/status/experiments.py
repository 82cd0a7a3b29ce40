"""Status of an experiment, read from its nodes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from riseml import labels
from riseml.dataclass import replace
from riseml.status import document as doc
from riseml.status import gang_attempts, released, saved_output, suspension, unstarted
from riseml.status.attempts import numbered_from
from riseml.status.document import Node
from riseml.status.jobs import (
    SKIPPED,
    TaskNodes,
    by_task,
    progress,
    read_job,
    result,
    started,
)
from riseml.status.outline import Outline
from riseml.status.values import ExperimentStatus
from riseml.status.verdict import between_attempts, judge

# What the name of an attempt has after that of its experiment.
_ATTEMPT = re.compile(r"\((\d{1,9})\)")


def read_experiment(
    outline: Outline, position: int, nodes: Iterable[Node]
) -> ExperimentStatus:
    """Read the experiment at `position` (from 0), given only its nodes: its root and all below it."""
    # Only its name says where a node belongs.
    nodes = [node for node in nodes if doc.text(node.get("name"))]
    experiment = _read(outline, position, nodes)
    counted_on = outline.earlier_attempts(position)
    numbered = numbered_from(counted_on, experiment.jobs)
    return suspension.marked(outline, replace(experiment, jobs=numbered))


def _read(outline: Outline, position: int, nodes: Sequence[Node]) -> ExperimentStatus:
    """Return an experiment whose attempts are counted within its Workflow."""
    sub = outline.sub(position)
    blank = _blank(outline, position, sub)
    root = _root(nodes)
    if root is None or _was_skipped(root):
        experiment = unstarted.read(outline, blank, root, position)
        planned_jobs = tuple(unstarted.jobs(outline, experiment, sub))
        return replace(experiment, jobs=planned_jobs)
    if outline.rounds:
        blank = replace(blank, parameters=_users(doc.parameters(root.get("inputs"))))
    name, attempt = _last_attempt(root, nodes)
    tasks = released.joined(by_task(f"{name}.", nodes), outline.planned)
    jobs = [
        read_job(planned, blank.id, tasks.get(planned.task), outline.kills, sub)
        for planned in outline.planned
    ]
    if attempt:
        # The jobs of a gang are retried together, so their number is the gang's.
        earlier = gang_attempts.read(outline, blank, root, nodes, sub)
        jobs = [
            replace(job, attempt=attempt, earlier=earlier.get(job.id, ()))
            for job in jobs
        ]
    experiment = judge(outline, blank, root, jobs, sub)
    experiment = between_attempts(outline, experiment, root, attempt)
    return _with_reports(outline, experiment, tasks)


def _blank(outline: Outline, position: int, sub: str) -> ExperimentStatus:
    """Return an experiment before its nodes are read: its id and parameters."""
    parameters = _users(outline.item(position))
    experiment_id, number = outline.id, None
    if outline.is_set:
        experiment_id, number = f"{outline.id}.{sub}", doc.integer(sub)
    return ExperimentStatus(
        id=experiment_id,
        sub=number,
        parameters=parameters,
        created=outline.created,
        shard=outline.shard,
        resume=outline.resume(position),
    )


def _users(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's parameters of an item; RiseML's own stand among them."""
    parameters = {}
    for name, value in item.items():
        if isinstance(name, str) and not name.startswith(labels.OWN):
            parameters[name] = doc.text(value)
    return parameters


def _root(nodes: Sequence[Node]) -> Node | None:
    """Return the node of the experiment itself, None before the engine has made it."""
    # The names of all other nodes begin with its name.
    return min(nodes, key=_name_length, default=None)


def _name_length(node: Node) -> int:
    return len(doc.text(node.get("name")))


def _was_skipped(root: Node) -> bool:
    return root.get("type") == "Skipped" or doc.text(root.get("phase")) in SKIPPED


def _last_attempt(root: Node, nodes: Sequence[Node]) -> tuple[str, int]:
    """Return the name that precedes the jobs of the last attempt, and the number of that attempt."""
    name = doc.text(root.get("name"))
    if root.get("type") != "Retry":
        return name, 0
    attempts = []
    for node in nodes:
        match = _ATTEMPT.fullmatch(doc.text(node.get("name")), len(name))
        if match:
            attempts.append(int(match[1]))
    if not attempts:
        return name, 0
    last = max(attempts)
    return f"{name}({last})", last


def _with_reports(
    outline: Outline,
    experiment: ExperimentStatus,
    tasks: dict[str, TaskNodes],
) -> ExperimentStatus:
    """Return an experiment with what its jobs report: start, result and progress."""
    starts = []
    task_nodes, last_nodes = [], []
    for job, planned in zip(experiment.jobs, outline.planned, strict=True):
        nodes = tasks.get(planned.task)
        if nodes is None:
            continue
        task_nodes.append(nodes)
        last_nodes.append(nodes.last[1])
        if job.started:
            starts.append(started(nodes))
    # The first job that reports anything speaks for the experiment. The nodes of the
    # others are not read: a set may have thousands of experiments.
    results = filter(None, map(result, task_nodes))
    progresses = filter(None, map(progress, task_nodes))
    return replace(
        experiment,
        started=min(filter(None, starts), default=None),
        result=next(results, None),
        progress=next(progresses, None),
        notes=saved_output.notes(outline.document, last_nodes),
    )
