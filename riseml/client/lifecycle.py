"""Methods of `riseml.Client` that start runs, wait for them and kill them."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from riseml.client.context import ClientContext
from riseml.client.explain import tensorboard_url
from riseml.client.timeouts import ticking
from riseml.client.types import Killed, RunHandle
from riseml.engines import Submission
from riseml.errors import NotFoundError, TimedOutError
from riseml.ids import Id
from riseml.plan import NO_MARKS, Marks
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.select import pick

if TYPE_CHECKING:
    from riseml.config import Loaded
    from riseml.plan import ExperimentSet, GitState
    from riseml.project import Snapshot

# A deadline that never comes.
_FOREVER = math.inf


def submit(
    context: ClientContext,
    config: "Loaded",
    plan: "ExperimentSet",
    snapshot: "Snapshot",
    *,
    node: str,
    git: "GitState | None" = None,
    marks: Marks = NO_MARKS,
) -> RunHandle:
    """Start a plan with the code of a snapshot; see `Client.train`."""
    # Jobs of the local engine run in the environment of the command that starts them.
    from riseml.project.excluded import named

    plan = replace(plan, workdir_limit=context.settings.workdir_limit)
    submission = Submission(
        plan,
        snapshot.revision,
        dict(os.environ),
        node,
        named(snapshot.excluded),
        git,
        marks=marks,
    )
    submitted = context.engine.start(submission)
    notes = submitted.notes
    tensorboard = None
    has_tensorboard = plan.tensorboard
    if has_tensorboard:
        from riseml.client import preconditions

        if preconditions.lacks_tensorboard(context.engine, plan):
            notes += (preconditions.NO_TENSORBOARD,)
            has_tensorboard = False
        tensorboard = tensorboard_url(context.engine, Id(number=submitted.number))
    return RunHandle(
        id=str(submitted.number),
        name=submitted.name,
        project=plan.project,
        is_set=submitted.is_set,
        experiments=submitted.experiments,
        snapshot=snapshot,
        notes=notes,
        warnings=config.warnings,
        tensorboard=tensorboard,
        installs=bool(plan.install or plan.for_search.install),
        has_tensorboard=has_tensorboard,
    )


def changes(
    context: ClientContext, id: Id, tick: float | None
) -> Iterator[SetStatus | ExperimentStatus | None]:
    """Yield the status of a run or experiment until it has ended; see `Client.changes`."""
    if tick is None:
        return context.engine.changes(id)
    return ticking(context.engine.changes(id), tick)


def wait(
    context: ClientContext, names: Sequence[str | Id], timeout: timedelta | None
) -> list[SetStatus | ExperimentStatus]:
    """Return how runs or experiments ended; see `Client.wait`."""
    # All ids are checked before the wait begins, so that a wrong one fails at once.
    experiments = [
        context.experiment_id(name, "can only wait for experiments") for name in names
    ]
    if not experiments:
        experiments = [context.find_id(None)]
    seconds = _FOREVER if timeout is None else timeout.total_seconds()
    deadline = time.monotonic() + seconds
    return [_wait(context, experiment, deadline) for experiment in experiments]


def kill(
    context: ClientContext, names: Sequence[str | Id], *, force: bool
) -> list[Killed]:
    """Stop runs or experiments; see `Client.kill`."""
    experiments = [
        context.experiment_id(name, "can only kill experiments") for name in names
    ]
    if not experiments:
        experiments = [_newest_unfinished(context)]
    # All ids are read before the first one is killed, so that a wrong id kills nothing.
    statuses = [
        pick(context.read(experiment), experiment) for experiment in experiments
    ]
    killed = []
    for experiment, status in zip(experiments, statuses, strict=True):
        is_set = isinstance(status, SetStatus) and status.is_set
        stopped = context.engine.stop(experiment, force=force)
        killed.append(Killed(status.id, is_set, stopped, status.state))
    return killed


def _newest_unfinished(context: ClientContext) -> Id:
    try:
        newest = context.engine.latest()
    except NotFoundError:
        raise NotFoundError("no experiments to kill") from None
    if context.engine.read(newest).state.is_terminal:
        raise NotFoundError(
            "no experiments to kill", f"The newest, {newest}, has ended."
        )
    return newest


def _wait(
    context: ClientContext, id: Id, deadline: float
) -> SetStatus | ExperimentStatus:
    last: SetStatus | ExperimentStatus | None = None
    for status in _changes_until(context, id, deadline):
        # None comes at the deadline, and between two changes.
        last = status or last
        is_late = time.monotonic() >= deadline
        has_ended = last is not None and last.state.is_terminal
        if is_late and not has_ended:
            state = last.state if last else "unknown"
            raise TimedOutError(
                f"timed out waiting for {id} (still {state})", "It keeps running."
            )
    if last is None:
        raise NotFoundError(f"nothing is known about {id}")
    return last


def _changes_until(
    context: ClientContext, id: Id, deadline: float
) -> Iterator[SetStatus | ExperimentStatus | None]:
    """Yield statuses, and None at the deadline, even while nothing changes."""
    if deadline == _FOREVER:
        return context.engine.changes(id)
    # A thread reads the changes, since an engine blocks until the next one.
    statuses = context.engine.changes(id)
    return ticking(statuses, lambda: deadline - time.monotonic())
