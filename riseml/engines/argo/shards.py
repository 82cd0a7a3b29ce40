"""Shards of a set: several Workflows with one number.

Argo keeps a Workflow and the status of all its nodes in one object, whose size is
limited (`compiler/limits.py`). So a set that is too large for one has several from the
start, each with consecutive experiments. Experiments that are repeated or added later
have a shard of their own, since a Workflow that has ended gets no more tasks. The shards
share the set's `concurrency` through a semaphore, whose size is in the user's ConfigMap.
"""

import math
from collections.abc import Sequence

from riseml import labels
from riseml.cluster.api import Object
from riseml.dataclass import replace
from riseml.errors import RiseMLError
from riseml.plan import ExperimentSet, Shard

# The estimated size is not exact, so a Workflow is filled to this share of the limit only.
FILL = 0.8
# Annotation of a Workflow whose run has several: the index of the last one.
LAST = "riseml.io/last-shard"
MOST = 32
"""The largest number of shards of a set."""


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
    if count > 1 and plan.rounds:
        raise RiseMLError(
            f"{total} experiments in rounds of {plan.rounds.batch} are too many for one Workflow",
            f"Write fewer trials, or a larger batch than {plan.rounds.batch}.",
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


def are_complete(documents: Sequence[Object]) -> bool:
    """Return whether all Workflows of a run are among these.

    Each Workflow knows the shards that there were when the last one was added, so that
    none can be missed after Argo has deleted it.
    """
    present = set()
    last = 1
    for document in documents:
        index = index_of(document)
        present.add(index)
        annotations = document["metadata"].get("annotations", {})
        last = max(last, index, int(annotations.get(LAST, 0)))
    return len(present) >= last


def index_of(document: Object) -> int:
    """Return the index of the shard that a Workflow is, 1 for the only one of a run."""
    return order(document) or 1


def order(document: Object) -> int:
    """Return the index of a Workflow among those of its set, 0 if it is the only one."""
    return int(document["metadata"].get("labels", {}).get(labels.SHARD, 0))
