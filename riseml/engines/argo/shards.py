"""Sets that are too large for one Workflow: several with the same number, which share the set's `concurrency`.

Argo keeps a Workflow and the status of all its nodes in one object (`compiler/limits.py`). Each shard holds consecutive
experiments; a semaphore, whose size stands in the user's ConfigMap, lets no more of them run than the set may.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from riseml import labels
from riseml.cluster.api import Object
from riseml.errors import RiseMLError
from riseml.plan import ExperimentSet, Shard
from riseml.status import JobStatus, SetStatus, State, set_state

# Of what Argo can keep: the estimate is not exact
FILL = 0.8
_TELLING = (
    State.FAILED, State.RUNNING, State.STARTING, State.PENDING, State.BUILDING, State.CREATED, State.KILLED,
    State.FINISHED,
)  # fmt: skip
# Workflows of one set
MOST = 32


def split(
    plan: ExperimentSet, share: float
) -> list[tuple[ExperimentSet, Shard | None]]:
    """Return the parts of a set that fills `share` of what one Workflow may.

    Raises:
        RiseMLError: there would be too many of them.
    """
    count = math.ceil(share / FILL) if share > FILL else 1
    if count > MOST or count > len(plan.experiments):
        raise RiseMLError(
            f"{len(plan.experiments)} experiments are too many: they would need {count} Workflows",
            f"Up to {MOST} are made of one set. Give one parameter fewer values, once for each part.",
        )
    if count == 1:
        return [(plan, None)]
    size = math.ceil(len(plan.experiments) / count)
    parts = [
        plan.experiments[start : start + size]
        for start in range(0, len(plan.experiments), size)
    ]
    return [
        (replace(plan, experiments=part), Shard(index, len(parts)))
        for index, part in enumerate(parts, start=1)
    ]


def order(document: Object) -> int:
    """Return the place of a Workflow among those of its set."""
    return int(document["metadata"].get("labels", {}).get(labels.SHARD, 0))


def merged(parts: Sequence[SetStatus]) -> SetStatus:
    """Return one run of what was read from the Workflows of its shards, in their order."""
    if len(parts) == 1:
        return parts[0]
    counts: Counter[State] = Counter()
    for part in parts:
        counts.update(part.counts)
    state = set_state(counts)
    return replace(
        parts[0],
        state=state,
        counts=dict(counts),
        started=min((part.started for part in parts if part.started), default=None),
        finished=max((part.finished for part in parts if part.finished), default=None)
        if state.is_terminal
        else None,
        experiments=tuple(each for part in parts for each in part.experiments),
        jobs=_jobs(parts),
    )


def _jobs(parts: Sequence[SetStatus]) -> tuple[JobStatus, ...]:
    """Return the jobs of the run itself, each as in the shard that tells most: where it has failed, or goes on."""
    found: dict[str, JobStatus] = {}
    for job in (job for part in parts for job in part.jobs):
        if job.id not in found or _TELLING.index(job.state) < _TELLING.index(
            found[job.id].state
        ):
            found[job.id] = job
    return tuple(found.values())
