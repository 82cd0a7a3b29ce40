"""Growth of a run by a further Workflow, which repeats or adds experiments."""

from riseml.engines import Growth
from riseml.engines.local import shard_keys
from riseml.engines.local.store import Store
from riseml.errors import ChangedMeanwhileError, NotFoundError
from riseml.plan import ExperimentSet
from riseml.status import State


def key(store: Store, plan: ExperimentSet, growth: Growth) -> int:
    """Return the key of the Workflow with the experiments of a plan; inside a transaction.

    Raises:
        NotFoundError: there is no such run.
        ChangedMeanwhileError: another command has given the run such a Workflow, or an
            experiment may not be repeated, since it has finished or not ended.
    """
    number = growth.number
    if store.summary(number) is None:
        raise NotFoundError(
            f"there is no run {number}", "`riseml status -a` lists all runs."
        )
    if growth.shard != _last_shard(store, number) + 1:
        raise _changed(number)
    for experiment in plan.experiments:
        recorded = store.experiment(number, experiment.sub)
        if recorded is None:
            continue
        state = State(recorded["state"])
        if state is State.FINISHED or not state.is_terminal:
            raise _changed(number)
    return shard_keys.key_of(number, growth.shard)


def _changed(number: int) -> ChangedMeanwhileError:
    return ChangedMeanwhileError(
        f"another command has repeated or added experiments of {number}",
        f"`riseml status {number}` shows what has not finished. Then try again.",
    )


def _last_shard(store: Store, number: int) -> int:
    """Return the index of the last Workflow, also of those that only run.json had."""
    keys = (number, *store.shards(number))
    return max(shard_keys.shard_of(keys[-1]), store.last_recorded_shard(number))
