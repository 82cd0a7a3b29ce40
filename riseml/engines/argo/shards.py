"""Shards of a set: several Workflows with one number, for a set that is too large for one.

Argo keeps a Workflow and the status of all its nodes in one object, whose size is
limited (`compiler/limits.py`). Each shard holds consecutive experiments. The shards share
the set's `concurrency` through a semaphore, whose size is in the user's ConfigMap.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from riseml import labels
from riseml.cluster.api import Object
from riseml.errors import RiseMLError
from riseml.plan import ExperimentSet, Shard
from riseml.status import ExperimentStatus, JobStatus, SetStatus, State, set_state

# The estimated size is not exact, so a Workflow is filled to this share of the limit only.
FILL = 0.8
MOST = 32
"""The largest number of shards of a set."""
# A shared job, such as the build, is shown in the first of these states that a shard reports.
_JOB_STATES = (
    State.FAILED,
    State.RUNNING,
    State.STARTING,
    State.PENDING,
    State.BUILDING,
    State.CREATED,
    State.KILLED,
    State.FINISHED,
)


def split(
    plan: ExperimentSet, share: float
) -> list[tuple[ExperimentSet, Shard | None]]:
    """Return the shards of a set whose Workflow would fill `share` of the limit.

    Raises:
        RiseMLError: there would be too many of them.
    """
    total = len(plan.experiments)
    count = math.ceil(share / FILL) if share > FILL else 1
    if count > MOST or count > total:
        raise RiseMLError(
            f"{total} experiments are too many: they would need {count} Workflows",
            f"A set can have up to {MOST}. Give one parameter fewer values, "
            "and start one set for each part of them.",
        )
    if count == 1:
        return [(plan, None)]
    size = math.ceil(total / count)
    groups = [plan.experiments[start : start + size] for start in range(0, total, size)]
    shards: list[tuple[ExperimentSet, Shard | None]] = []
    for index, experiments in enumerate(groups, start=1):
        shard = Shard(index, len(groups))
        shards.append((replace(plan, experiments=experiments), shard))
    return shards


def order(document: Object) -> int:
    """Return the index of a Workflow among those of its set, 0 if it is the only one."""
    return int(document["metadata"].get("labels", {}).get(labels.SHARD, 0))


def merged(shards: Sequence[SetStatus]) -> SetStatus:
    """Return the run whose shards were read, in their order."""
    if len(shards) == 1:
        return shards[0]
    counts: Counter[State] = Counter()
    experiments: list[ExperimentStatus] = []
    started: set[datetime | None] = set()
    finished: set[datetime | None] = set()
    for shard in shards:
        counts.update(shard.counts)
        experiments += shard.experiments
        started.add(shard.started)
        finished.add(shard.finished)
    state = set_state(counts)
    # A shard may end long before the set does.
    end = max(filter(None, finished), default=None) if state.is_terminal else None
    return replace(
        shards[0],
        state=state,
        counts=dict(counts),
        started=min(filter(None, started), default=None),
        finished=end,
        experiments=tuple(experiments),
        jobs=_jobs(shards),
    )


def _jobs(shards: Sequence[SetStatus]) -> tuple[JobStatus, ...]:
    """Return the run's own jobs, each as the shard reports it that says most."""
    jobs: dict[str, JobStatus] = {}
    for shard in shards:
        for job in shard.jobs:
            jobs[job.id] = min(jobs.get(job.id, job), job, key=_priority)
    return tuple(jobs.values())


def _priority(job: JobStatus) -> int:
    return _JOB_STATES.index(job.state)
