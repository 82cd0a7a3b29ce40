"""Shards of a set: several Workflows with one number, for a set that is too large for one.

Argo keeps a Workflow and the status of all its nodes in one object, whose size is
limited (`compiler/limits.py`). Each shard holds consecutive experiments. The shards share
the set's `concurrency` through a semaphore, whose size is in the user's ConfigMap.
"""

import math
from dataclasses import replace

from riseml import labels
from riseml.cluster.api import Object
from riseml.errors import RiseMLError
from riseml.plan import ExperimentSet, Shard

# The estimated size is not exact, so a Workflow is filled to this share of the limit only.
FILL = 0.8
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
