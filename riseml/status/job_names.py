"""Jobs by the names of their nodes, without a look at the other nodes of a run.

w.set.experiment(4:lr:0.1,riseml-sub:5).worker-2(1)  ──▶  14.5.worker.2
"""

from riseml.dataclass import dataclass
from riseml.plan import Resources
from riseml.status.outline import Outline, PlannedJob


@dataclass(frozen=True)
class NamedJob:
    """A job that a node stands for; `sub` is the number of its experiment in its set."""

    id: str
    type: str
    index: int | None
    sub: int | None
    resources: Resources


def job_of(outline: Outline, node_name: str) -> NamedJob | None:
    """Return the job that a pod's node belongs to, None for one that was not planned."""
    position = outline.positions.of(node_name)
    jobs = outline.planned
    if position is None:
        jobs = (*outline.run_planned, *outline.set_planned)
    # Names of tasks have no dots, and an attempt adds its number.
    task = node_name.rpartition(".")[2].partition("(")[0]
    for planned in jobs:
        if planned.task == task:
            return _named(outline, planned, position)
    return None


def _named(outline: Outline, planned: PlannedJob, position: int | None) -> NamedJob:
    sub = None
    if position is not None and outline.is_set:
        sub = int(outline.sub(position))
    parts = (outline.id, sub, planned.type, planned.index)
    words = [str(part) for part in parts if part is not None]
    return NamedJob(
        ".".join(words), planned.type, planned.index, sub, planned.resources
    )
