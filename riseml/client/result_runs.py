"""Runs whose results are compared: by their ids, or all of a project."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from riseml.client.context import ClientContext
from riseml.dataclass import replace
from riseml.engines import Engine, Query
from riseml.engines.code import SummarizesRuns
from riseml.errors import InvalidInputError, NotFoundError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus

# Each read of a run on a cluster waits for several requests.
_THREADS = 8


def read(
    context: ClientContext, names: Sequence[str | Id | None], query: Query
) -> list[SetStatus]:
    """Return the runs with their experiments, in the order of `names`, else the newest first.

    `query` has a project or tags that the runs must have.

    Raises:
        InvalidInputError: an id is of an experiment of a set, or of a job.
        NotFoundError: nothing has an id, or no run has the project or the tags.
    """
    if names:
        # An id that is given twice counts once.
        ids = list(dict.fromkeys(map(partial(_run_id, context), names)))
    elif query.project or query.tags:
        runs = context.engine.list(query)
        ids = [Id(number=run.number) for run in runs]
    else:
        ids = [context.find_id(None)]
    runs = list(filter(partial(_fits, query), _read_all(context.engine, ids)))
    if not runs:
        selection = " ".join(filter(None, (query.project, *query.tags)))
        raise NotFoundError(
            f"no run belongs to {selection}", "`riseml status -a` lists all runs."
        )
    return runs


def _fits(query: Query, run: SetStatus) -> bool:
    has_project = query.project in (None, run.project)
    return has_project and set(query.tags) <= set(run.marks.tags)


def _run_id(context: ClientContext, name: str | Id | None) -> Id:
    run = context.find_id(name)
    if run.kind != "experiment" or run.sub is not None:
        raise InvalidInputError(
            f"{run} is not a set",
            "Results compare the experiments of a set, such as 14.",
        )
    return run


def _read_all(engine: Engine, ids: Sequence[Id]) -> list[SetStatus]:
    if isinstance(engine, SummarizesRuns):
        runs = list(map(engine.with_experiments, ids))
    elif len(ids) == 1:
        runs = [engine.read(ids[0])]
    else:
        with ThreadPoolExecutor(_THREADS) as threads:
            runs = list(threads.map(engine.read, ids))
    return list(map(_named, ids, runs))


def _named(run_id: Id, run: SetStatus) -> SetStatus:
    """Return a run; the ids of another user's run name that user, so that they are unique."""
    if run_id.user is None:
        return run
    experiments = []
    for experiment in run.experiments:
        experiments.append(_of_user(run_id.user, experiment))
    return replace(run, id=str(run_id), experiments=tuple(experiments))


def _of_user(user: str, experiment: ExperimentStatus) -> ExperimentStatus:
    return replace(experiment, id=f".{user}.{experiment.id}")
