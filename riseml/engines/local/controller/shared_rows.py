"""Rows of a run that has several Workflows: the last one decides how an experiment is.

    runs         the row of the first Workflow has the state of the set
    experiments  the rows of the run's number have what the last Workflow of each says

So lists and summaries need not know that there are several. Everything happens inside
the transaction of the caller.
"""

import json
from collections import Counter
from collections.abc import Sequence

from riseml.dataclass import replace
from riseml.engines.local.controller import recorded_status
from riseml.engines.local.serialize import experiment_from_data, experiment_to_json
from riseml.engines.local.store import Store
from riseml.status import ExperimentStatus, State, set_state


def put(store: Store, number: int, changed: Sequence[ExperimentStatus]) -> None:
    """Write experiments of one Workflow, except those that a later one repeats."""
    row = store.summary(number)
    # The first Workflow is recorded before any other.
    assert row is not None  # noqa: S101
    counts: Counter[State] = Counter(json.loads(row["counts"]))
    rows = []
    for experiment in changed:
        sub = experiment.number
        recorded = store.experiment(number, sub)
        current = experiment
        if recorded is not None:
            earlier = experiment_from_data(recorded)
            if earlier.shard > experiment.shard:
                continue
            counts[earlier.state] -= 1
            current = replace(experiment, created=earlier.created)
        counts[experiment.state] += 1
        rows.append((sub, experiment_to_json(current)))
    store.put_experiments(number, rows)
    starts = [
        experiment.started.timestamp() for experiment in changed if experiment.started
    ]
    if row["started"] is not None:
        starts.append(row["started"])
    state = set_state(counts)
    store.update_run(
        number,
        state=state,
        counts=json.dumps(+counts),
        started=min(starts, default=None),
        finished=row["finished"] if state.is_terminal else None,
    )


def write_again(store: Store, number: int) -> None:
    """Write the rows of a run that has lost one of its Workflows."""
    run = recorded_status.read(store, (number, *store.shards(number)))
    rows = [
        (experiment.number, experiment_to_json(experiment))
        for experiment in run.experiments
    ]
    store.put_experiments(number, rows)
    finished = run.finished.timestamp() if run.finished else None
    store.update_run(
        number, state=run.state, counts=json.dumps(run.counts), finished=finished
    )
