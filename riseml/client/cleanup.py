"""Methods of `riseml.Client` that delete: ended runs, and what no run uses any more."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from riseml import corrected_time, ids
from riseml.client import lifecycle
from riseml.client.context import ClientContext, run_of
from riseml.engines import Pruned, Query
from riseml.errors import DamagedError, InvalidInputError, RiseMLError
from riseml.ids import Id
from riseml.status import SetStatus

# A job has 30 seconds after a kill.
_KILL_PATIENCE = timedelta(seconds=60)


def delete(
    context: ClientContext, names: Sequence[str | Id], *, kill: bool
) -> list[str]:
    """Delete runs; see `Client.delete`."""
    runs = deletable(context, names, kill=kill)
    unfinished = [run.id for run in runs if not run.state.is_terminal]
    if unfinished:
        lifecycle.kill(context, unfinished, force=False)
        lifecycle.wait(context, unfinished, _KILL_PATIENCE)
    return _delete(context, runs)


def deletable(
    context: ClientContext, names: Sequence[str | Id], *, kill: bool
) -> list[SetStatus]:
    """Return the runs that `delete` would delete; see `Client.deletable`."""
    # An id may be given twice, and a run can be deleted only once.
    runs = [_read(context, _run_id(context, name)) for name in dict.fromkeys(names)]
    for run in runs:
        if not kill and not run.state.is_terminal:
            raise RiseMLError(
                f"{run.id} has not ended (it is {run.state})",
                f"`riseml kill {run.id}` ends it, or `riseml delete --kill {run.id}`.",
            )
    return runs


def _read(context: ClientContext, id: Id) -> SetStatus:
    try:
        return context.engine.read(id)
    except DamagedError:
        # What is left in the list of runs is enough to delete it.
        for run in context.engine.list(Query(all=True)):
            if run.number == id.number:
                return run
        raise


def prune(
    context: ClientContext, older_than: timedelta, *, dry_run: bool
) -> list[SetStatus]:
    """Delete old runs; see `Client.prune`."""
    listed = context.engine.list(Query(all=True))
    # The engine has told the time of a cluster by now.
    limit = corrected_time.now() - older_than
    runs = ended_before(listed, limit)
    if not dry_run:
        _delete(context, runs)
    return runs


def ended_before(runs: Iterable[SetStatus], limit: datetime) -> list[SetStatus]:
    """Return those runs that ended before a time, the oldest first."""
    ended = [run for run in runs if _has_ended_before(run, limit)]
    # Engines list the newest run first. An interruption should leave the newest runs.
    ended.reverse()
    return ended


def prune_unused(context: ClientContext, unused_for: timedelta) -> Pruned:
    """Delete unused builds and code; see `Client.prune_unused`."""
    return context.engine.prune_unused(time.time() - unused_for.total_seconds())


def _delete(context: ClientContext, runs: Sequence[SetStatus]) -> list[str]:
    """Delete runs in their order; return their ids."""
    deleted = [run.id for run in runs]
    for run_id in deleted:
        context.engine.delete(ids.parse(run_id))
    return deleted


def _run_id(context: ClientContext, name: str | Id) -> Id:
    experiment = context.experiment_id(name, "can only delete whole runs")
    if experiment.sub is not None:
        raise InvalidInputError(
            "can only delete whole runs",
            f"{experiment} is part of set {run_of(experiment)}.",
        )
    return experiment


def _has_ended_before(run: SetStatus, limit: datetime) -> bool:
    # A run without a recorded end counts from its creation.
    ended = run.finished or run.created
    return run.state.is_terminal and ended is not None and ended < limit
