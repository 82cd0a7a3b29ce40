"""Selection of an experiment or job of a run by its id."""

from collections.abc import Sequence

from riseml.errors import NotFoundError
from riseml.excerpts import first_of
from riseml.ids import Id
from riseml.status.values import ExperimentStatus, JobStatus, SetStatus

# An error lists no more jobs than that.
_MAX_NAMES = 10


def pick(run: SetStatus, id: Id) -> SetStatus | ExperimentStatus | JobStatus:  # noqa: A002
    """Return the run, experiment or job that an id names.

    Raises:
        NotFoundError: the run has no such experiment or job; the advice lists its jobs.
    """
    experiment = None
    if id.sub is not None:
        experiment = _pick_experiment(run, id)
    if id.type is None:
        return experiment or run
    return _pick_job(_jobs(run, experiment), id)


def _pick_experiment(run: SetStatus, experiment_id: Id) -> ExperimentStatus:
    for experiment in run.experiments:
        if experiment.sub == experiment_id.sub:
            return experiment
    number = Id(experiment_id.user, experiment_id.number)
    if run.is_set:
        advice = f"{number} has {len(run.experiments)} experiments."
    else:
        advice = f"{number} is a single experiment."
    raise NotFoundError(f"there is no experiment {experiment_id.experiment}", advice)


def _pick_job(jobs: Sequence[JobStatus], job_id: Id) -> JobStatus:
    named = (job_id.type, job_id.index)
    for job in jobs:
        if (job.type, job.index) == named:
            return job
    ids = [job.id for job in jobs]
    advice = f"Jobs are {first_of(ids, _MAX_NAMES)}." if ids else ""
    raise NotFoundError(f"there is no job {job_id}", advice)


def _jobs(run: SetStatus, experiment: ExperimentStatus | None) -> Sequence[JobStatus]:
    """Return the jobs of an experiment, or those that belong to the run."""
    if experiment is not None:
        return experiment.jobs
    jobs = list(run.jobs)
    # Ids of a single experiment have no number of an experiment: 14.train.
    if not run.is_set:
        for single in run.experiments:
            jobs.extend(single.jobs)
    return jobs
