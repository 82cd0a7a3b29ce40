"""Selection of what an id or log query asks for in a run; every engine uses it."""

from collections.abc import Iterable, Iterator
from operator import itemgetter

from riseml.engines import Change
from riseml.errors import NotFoundError
from riseml.ids import Id
from riseml.status import ExperimentStatus, JobStatus, SetStatus


def parts(
    run: SetStatus, selected: Id
) -> Iterator[SetStatus | ExperimentStatus | JobStatus]:
    """Yield what the id selects: the run's jobs, experiments after their jobs, the run.

    The order is that in which states change: the build comes first, the run last.
    """
    if selected.type is not None:
        yield from map(itemgetter(1), jobs(run, selected))
        return
    has_run = includes_run(run, selected)
    if has_run:
        yield from run.jobs
    for experiment in experiments(run, selected):
        yield from experiment.jobs
        if run.is_set:
            yield experiment
    if has_run:
        yield run


def includes_run(run: SetStatus, selected: Id) -> bool:
    """Return whether the id selects more than one experiment of a set."""
    return selected.sub is None or not run.is_set


def experiments(run: SetStatus, selected: Id) -> Iterable[ExperimentStatus]:
    """Return the experiments that the id selects."""
    if selected.sub is None:
        return run.experiments
    subs = (None, selected.sub)
    return [experiment for experiment in run.experiments if experiment.sub in subs]


def jobs(
    run: SetStatus, selected: Id
) -> Iterator[tuple[ExperimentStatus | None, JobStatus]]:
    """Yield the jobs that the id selects, with their experiment; None for the run's own."""
    owners: list[SetStatus | ExperimentStatus] = [*experiments(run, selected)]
    if includes_run(run, selected):
        owners.insert(0, run)
    for owner in owners:
        experiment = owner if isinstance(owner, ExperimentStatus) else None
        for job in owner.jobs:
            if is_meant(job, selected):
                yield experiment, job


def is_meant(job: JobStatus, selected: Id) -> bool:
    """Return whether the id selects a job of its run or experiment."""
    if selected.type is None:
        return True
    return job.type == selected.type and selected.index in (None, job.index)


def run_or_experiment(run: SetStatus, selected: Id) -> SetStatus | ExperimentStatus:
    """Return the run, or the experiment that the id names.

    Raises:
        NotFoundError: the run has no such experiment.
    """
    if selected.sub is None:
        return run
    for experiment in run.experiments:
        # A single experiment has no number of its own, but may be called the first.
        if experiment.number == selected.sub:
            return experiment
    raise NotFoundError(
        f"there is no experiment {selected}",
        f"`riseml status {selected.number}` lists all experiments of the run.",
    )


def change(status: SetStatus | ExperimentStatus | JobStatus) -> Change:
    """Return the change to the current state of a run, an experiment or a job."""
    exit_code = None if isinstance(status, SetStatus) else status.exit_code
    return Change(
        status.id,
        status.state,
        status.finished or status.started,
        status.reason,
        status.message,
        exit_code,
    )
