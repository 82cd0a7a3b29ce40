"""Database that was lost, or that lacks its newest changes: run.json files make up for them."""

import json
from pathlib import Path

from riseml.dataclass import replace
from riseml.engines.local import rebuild, shard_keys
from riseml.engines.local.controller.log import logger
from riseml.engines.local.home import output_folder, run_folder
from riseml.engines.local.serialize import experiment_to_json
from riseml.engines.local.store import Store
from riseml.errors import HomeError, RiseMLError
from riseml.status import SetStatus, shards
from riseml.status.data import encode, to_data


def rebuild_new(store: Store, home: Path) -> None:
    """List the runs whose outputs a home has, if its database has never had a run."""
    if store.last_number() or not rebuild.unlisted(home, ()):
        return
    try:
        restored = rebuild.restore(store, home)
    except (HomeError, OSError):
        # New runs get numbers without output even so, and a repair can be made later.
        logger.exception("the runs of the lost database cannot be listed")
        return
    count = len(restored.complete) + len(restored.incomplete)
    if count:
        logger.warning("the database was lost: %d runs are listed again", count)


def end_ended(store: Store, home: Path) -> None:
    """Record the ends of runs that have ended according to their run.json.

    The folder of a run's processes is removed after the end is recorded. If it is gone
    and the end is not recorded, the newest changes of the database were lost: without
    its file riseml.db-wal, or with an older copy. Jobs must not run a second time.
    """
    for key in store.unfinished_keys():
        row = store.summary(key)
        if row is None or run_folder(home, key).exists():
            continue
        number = shard_keys.number_of(key)
        folder = output_folder(home).joinpath(row["user"], row["project"], str(number))
        try:
            run = rebuild.read(folder)
        except RiseMLError:
            continue
        if row["name"] not in [shard.name for shard in run.workflows]:
            continue
        logger.warning("run %d: ended as %s, which was not recorded", number, run.state)
        with store.transaction():
            if store.shards(number):
                _end_workflow(store, key, run)
                continue
            store.delete_run(number)
            rebuild.add(store, run)


def _end_workflow(store: Store, key: int, run: SetStatus) -> None:
    """Record the end of one of several Workflows; others of the run may go on."""
    shard = shards.shard_of(run, shard_keys.shard_of(key))
    experiments = []
    for experiment in run.experiments:
        if experiment.shard == shard.index:
            experiments.append(experiment)
    ended = replace(run, experiments=tuple(experiments), shards=(shard,))
    finished = run.finished.timestamp() if run.finished else None
    store.update_run(
        key,
        ended=1,
        finished=finished,
        environment="{}",
        status=json.dumps(to_data(ended), default=encode),
    )
    store.put_experiments(
        shard_keys.number_of(key),
        [(one.sub or 1, experiment_to_json(one)) for one in experiments],
    )
