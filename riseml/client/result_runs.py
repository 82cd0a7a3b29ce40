"""Runs whose results are compared: by their ids, or all of a project."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from riseml.client.context import ClientContext
from riseml.engines import Engine, Query
from riseml.engines.code import SummarizesRuns
from riseml.errors import InvalidInputError, NotFoundError
from riseml.ids import Id
from riseml.status import ExperimentStatus, SetStatus

# Each read of a run on a cluster waits for several requests.
_THREADS = 8


def read(
    context: ClientContext, names: Sequence[str | Id | None], *, project: str | None
) -> list[SetStatus]:
    """Return the runs with their experiments, in the order of `names`, else the newest first.

    Raises:
        InvalidInputError: an id is of an experiment of a set, or of a job.
        NotFoundError: nothing has an id, or the project has no runs.
    """
    if names:
        # An id that is given twice counts once.
        ids = list(dict.fromkeys(map(partial(_run_id, context), names)))
    elif project:
        ids = _of_project(context.engine, project)
    else:
        ids = [context.find_id(None)]
    runs = _read_all(context.engine, ids)
    if project:
        runs = [run for run in runs if run.project == project]
    if not runs:
        raise NotFoundError(
            f"no run of the project {project}", "`riseml status -a` lists all runs."
        )
    return runs


def _run_id(context: ClientContext, name: str | Id | None) -> Id:
    run = context.find_id(name)
    if run.kind != "experiment" or run.sub is not None:
        raise InvalidInputError(
            f"{run} is not a set",
            "Results compare the experiments of a set, such as 14.",
        )
    return run


def _of_project(engine: Engine, project: str) -> list[Id]:
    runs = engine.list(Query(all=True, project=project))
    return [Id(number=run.number) for run in runs]


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
