"""Methods of `riseml.Client` that start runs, wait for them and kill them."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from riseml.client.context import ClientContext
from riseml.client.explain import tensorboard_url
from riseml.client.timeouts import ticking
from riseml.client.types import Killed, RunHandle
from riseml.dataclass import replace
from riseml.engines import Engine, Submission, Submitted
from riseml.engines.capabilities import ChoosesRunner, ReportsEnds
from riseml.errors import (
    InvalidInputError,
    NotFoundError,
    TimedOutError,
    UnsupportedError,
)
from riseml.ids import Id
from riseml.plan import NO_MARKS, Marks
from riseml.settings import RUNNERS
from riseml.status import ExperimentStatus, SetStatus
from riseml.status.select import pick

if TYPE_CHECKING:
    from riseml.client.hold_watch import HoldWatch, OnHold
    from riseml.client.planned_file import PlannedFile
    from riseml.plan import ExperimentSet, GitState
    from riseml.project import Snapshot

# A deadline that never comes.
_FOREVER = math.inf
_SIMULTANEOUS_KILLS = 8


def submit(
    context: ClientContext,
    file: "PlannedFile",
    plan: "ExperimentSet",
    snapshot: "Snapshot",
    *,
    node: str,
    git: "GitState | None" = None,
    marks: Marks = NO_MARKS,
    runner: str = "",
) -> RunHandle:
    """Start a plan with the code of a snapshot; see `Client.train`."""
    # Jobs of the local engine run in the environment of the command that starts them.
    from riseml.project.excluded import named

    plan = replace(
        plan,
        workdir_limit=context.settings.workdir_limit,
        enforces_resources=context.settings.resources_enforce,
    )
    submission = Submission(
        plan,
        snapshot.revision,
        context.environment(),
        node,
        named(snapshot.excluded),
        git,
        marks=marks,
        runner=runner,
    )
    submitted = context.engine.start(submission)
    return _handle(context, file, plan, snapshot, submitted)


def _handle(
    context: ClientContext,
    file: "PlannedFile",
    plan: "ExperimentSet",
    snapshot: "Snapshot",
    submitted: Submitted,
) -> RunHandle:
    """Return the handle of a run that was just submitted."""
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
        warnings=file.warnings,
        tensorboard=tensorboard,
        installs=bool(submitted.prepares or plan.install or plan.for_search.install),
        runner=submitted.runner,
        has_tensorboard=has_tensorboard,
    )


def check_runner(engine: Engine, runner: str | None) -> None:
    """Check the runner that the user has named, None if nothing.

    Raises:
        InvalidInputError: there is none of this name.
        UnsupportedError: the engine has no runners.
    """
    if runner is None:
        return
    if runner not in RUNNERS:
        raise InvalidInputError(
            f"there is no runner '{runner}'", f"Runners are {', '.join(RUNNERS)}."
        )
    if not isinstance(engine, ChoosesRunner):
        raise UnsupportedError(
            f"the engine {engine.name} has no runners: its jobs run in pods",
            "Leave out --runner. `riseml config use local` chooses this machine.",
        )


def changes(
    context: ClientContext, id: Id, tick: float | None
) -> Iterator[SetStatus | ExperimentStatus | None]:
    """Yield the status of a run or experiment until it has ended; see `Client.changes`."""
    if tick is None:
        return context.engine.changes(id)
    return ticking(context.engine.changes(id), tick)


def wait(
    context: ClientContext,
    names: Sequence[str | Id],
    timeout: timedelta | None,
    on_hold: "OnHold | None" = None,
) -> list[SetStatus | ExperimentStatus]:
    """Return how runs or experiments ended; see `Client.wait`."""
    # Few commands wait, and it reads the documents of runs.
    from riseml.client.hold_watch import HoldWatch

    # All ids are checked before the wait begins, so that a wrong one fails at once.
    experiments = [
        context.experiment_id(name, "can only wait for experiments") for name in names
    ]
    if not experiments:
        experiments = [context.find_id(None)]
    seconds = _FOREVER if timeout is None else timeout.total_seconds()
    deadline = time.monotonic() + seconds
    ended = []
    for experiment in experiments:
        watch = HoldWatch(context, experiment, on_hold)
        ended.append(_wait(context, experiment, deadline, watch))
    return ended


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
    stop = partial(context.engine.stop, force=force)
    if force and len(experiments) > 1:
        results = _together(stop, experiments)
    else:
        results = list(map(stop, experiments))
    killed = []
    for status, stopped in zip(statuses, results, strict=True):
        is_set = isinstance(status, SetStatus) and status.is_set
        killed.append(Killed(status.id, is_set, stopped, status.state))
    return killed


def _together(stop: Callable[[Id], bool], experiments: Sequence[Id]) -> list[bool]:
    """Stop experiments at the same time, since each may have to wait for the cluster."""
    # Only a forced kill of several needs it.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_SIMULTANEOUS_KILLS) as threads:
        return list(threads.map(stop, experiments))


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
    context: ClientContext, id: Id, deadline: float, watch: "HoldWatch"
) -> SetStatus | ExperimentStatus:
    last: SetStatus | ExperimentStatus | None = None
    for status in _changes_until(context, id, deadline, watch):
        # None comes at the deadline, and between two changes.
        last = status or last
        is_late = time.monotonic() >= deadline
        has_ended = last is not None and last.state.is_terminal
        if not has_ended:
            watch.look()
        if is_late and not has_ended:
            state = last.state if last else "unknown"
            raise TimedOutError(
                f"timed out waiting for {id} (still {state})", "It keeps running."
            )
    if last is None:
        raise NotFoundError(f"nothing is known about {id}")
    return last


def _changes_until(
    context: ClientContext, id: Id, deadline: float, watch: "HoldWatch"
) -> Iterator[SetStatus | ExperimentStatus | None]:
    """Yield statuses, and None at the deadline or when the watch is due, even while nothing changes."""
    engine = context.engine
    changes = engine.ending if isinstance(engine, ReportsEnds) else engine.changes
    if deadline == watch.seconds() == _FOREVER:
        return changes(id)

    def seconds() -> float:
        return min(deadline - time.monotonic(), watch.seconds())

    # A thread reads the changes, since an engine blocks until the next one.
    return ticking(changes(id), seconds)
